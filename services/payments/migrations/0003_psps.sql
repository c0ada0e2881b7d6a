-- Several PSPs: some name only their own id of a payment in a webhook. The sandbox always names ours.
create index payment_by_reference on payment (psp, psp_reference) where psp <> 'sandbox' and psp_reference is not null;

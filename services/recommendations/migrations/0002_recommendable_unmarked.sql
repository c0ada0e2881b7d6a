-- The cursor of the catalog's log says when products have changed; marking each row as well said it twice.
alter table recommendable drop column changed_in;

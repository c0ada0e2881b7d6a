//! A partner's program that was built without our contracts: it learns them from the market by reflection and calls by name.

use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, MethodDescriptor, ReflectMessage, Value as Field};
use serde_json::{Value, json};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::harness::{Market, PASSWORD, list, text};

/// Messages of one type, in and out.
#[derive(Clone)]
struct Dynamic(MessageDescriptor);

impl Encoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn encode(&mut self, item: DynamicMessage, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        item.encode(into).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Dynamic {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        DynamicMessage::decode(self.0.clone(), from).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

/// Both directions of one method.
#[derive(Clone)]
struct Call(MethodDescriptor);

impl Codec for Call {
    type Encode = DynamicMessage;
    type Decode = DynamicMessage;
    type Encoder = Dynamic;
    type Decoder = Dynamic;

    fn encoder(&mut self) -> Dynamic {
        Dynamic(self.0.input())
    }

    fn decoder(&mut self) -> Dynamic {
        Dynamic(self.0.output())
    }
}

/// google.rpc.Status, as every gRPC library reads the details of an error.
#[derive(Clone, PartialEq, Message)]
struct RichStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
}

struct Partner {
    channel: Channel,
    services: BTreeSet<String>,
    pool: DescriptorPool,
}

impl Partner {
    async fn meet(address: &str) -> Self {
        let channel = Endpoint::from_shared(address.to_owned()).unwrap().connect().await.unwrap();
        let asked = reflect(&channel, MessageRequest::ListServices(String::new())).await;
        let MessageResponse::ListServicesResponse(listed) = asked else { panic!("no list of services: {asked:?}") };
        let services: BTreeSet<String> = listed.service.into_iter().map(|service| service.name).collect();
        let mut files = prost_types::FileDescriptorSet::default();
        for service in &services {
            learn(&channel, MessageRequest::FileContainingSymbol(service.clone()), &mut files).await;
        }
        let pool = DescriptorPool::from_file_descriptor_set(files).unwrap();
        Self { channel, services, pool }
    }

    /// Calls `markethub.orders.v1.Orders/GetOrder` with headers.
    async fn call(&self, method: &str, headers: &[(&'static str, &str)], message: &Value) -> Result<DynamicMessage, Status> {
        let (service, name) = method.split_once('/').unwrap();
        let service = self.pool.get_service_by_name(service).unwrap_or_else(|| panic!("{service} is not reflected"));
        let described = service.methods().find(|described| described.name() == name).unwrap_or_else(|| panic!("there is no {method}"));
        let mut request = Request::new(filled(described.input(), message));
        for (name, value) in headers {
            request.metadata_mut().insert(*name, value.parse().unwrap());
        }
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        Ok(client.unary(request, format!("/{method}").parse().unwrap(), Call(described)).await?.into_inner())
    }

    /// The problem in an error's details, by a type that reflection told of.
    fn problem(&self, status: &Status) -> DynamicMessage {
        let rich = RichStatus::decode(status.details()).unwrap();
        assert_eq!(rich.code, i32::from(status.code()), "libraries distrust details of another code");
        let any = rich.details.first().unwrap_or_else(|| panic!("no details: {status:?}"));
        let name = any.type_url.rsplit('/').next().unwrap();
        let described = self.pool.get_message_by_name(name).unwrap_or_else(|| panic!("{name} is not reflected"));
        DynamicMessage::decode(described, any.value.as_slice()).unwrap()
    }
}

async fn reflect(channel: &Channel, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut client = ServerReflectionClient::new(channel.clone());
    let mut answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap().into_inner();
    let answer: ServerReflectionResponse = answers.message().await.unwrap().unwrap();
    answer.message_response.unwrap()
}

/// The files that define something, and those they import.
async fn learn(channel: &Channel, question: MessageRequest, known: &mut prost_types::FileDescriptorSet) {
    let mut questions = vec![question];
    while let Some(question) = questions.pop() {
        let answer = reflect(channel, question).await;
        let MessageResponse::FileDescriptorResponse(files) = answer else { panic!("no files: {answer:?}") };
        for file in files.file_descriptor_proto {
            let file = prost_types::FileDescriptorProto::decode(file.as_slice()).unwrap();
            if !known.file.iter().any(|other| other.name == file.name) {
                questions.extend(file.dependency.iter().cloned().map(MessageRequest::FileByFilename));
                known.file.push(file);
            }
        }
    }
}

fn filled(described: MessageDescriptor, value: &Value) -> DynamicMessage {
    let mut message = DynamicMessage::new(described.clone());
    for (name, value) in value.as_object().unwrap() {
        let field = described.get_field_by_name(name).unwrap_or_else(|| panic!("{} has no {name}", described.full_name()));
        let one = |value: &Value| match field.kind() {
            Kind::String => Field::String(value.as_str().unwrap().to_owned()),
            Kind::Bool => Field::Bool(value.as_bool().unwrap()),
            Kind::Int64 => Field::I64(value.as_i64().unwrap()),
            Kind::Uint32 => Field::U32(u32::try_from(value.as_u64().unwrap()).unwrap()),
            Kind::Message(inner) => Field::Message(filled(inner, value)),
            other => panic!("{name} is {other:?}"),
        };
        let filled = if field.is_list() { Field::List(value.as_array().unwrap().iter().map(one).collect()) } else { one(value) };
        message.set_field(&field, filled);
    }
    message
}

/// A text inside an answer, by the names on the way.
fn said(message: &DynamicMessage, path: &str) -> String {
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let field = message.get_field_by_name(name).unwrap_or_else(|| panic!("{} has no {name}", message.descriptor().full_name())).into_owned();
    let first = match field {
        Field::List(items) => items.into_iter().next().unwrap_or_else(|| panic!("{name} is empty")),
        field => field,
    };
    match first {
        Field::Message(inner) => said(&inner, rest),
        Field::String(text) => text,
        other => panic!("{name} is {other:?}"),
    }
}

/// What is tried, with which headers and message, and what comes of it.
type Refusal<'a> = (&'a str, &'a [(&'static str, &'a str)], Value, Code, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_knows_no_contract_calls_by_reflection() {
    let market = Market::open().await;
    let seller = market.seller("anna").await;
    let partner = Partner::meet(&market.grpc).await;
    for service in ["catalog.v1.Catalog", "orders.v1.Orders", "inventory.v1.Inventory", "search.v1.Search", "identity.v1.Identity"] {
        assert!(partner.services.contains(&format!("markethub.{service}")), "{service} is not among {:?}", partner.services);
    }

    let account = json!({ "email": "anna@sellers.example", "password": PASSWORD });
    let session = partner.call("markethub.identity.v1.Identity/SignIn", &[], &account).await.unwrap();
    let bearer = format!("Bearer {}", said(&session, "session.access_token"));
    let as_anna = [("authorization", bearer.as_str()), ("x-tenant-id", seller.tenant.as_str())];
    let price = json!({ "amount_minor": 1990, "currency": "USD" });
    let bowl = json!({ "title": "Walnut Bowl", "variants": [{ "sku": "bowl", "price": price }], "activate": true });
    let create = "markethub.catalog.v1.Catalog/CreateProduct";
    let made = partner.call(create, &as_anna, &bowl).await.unwrap();
    let product = said(&made, "product.product_id");
    assert_eq!(text(&seller.get(&format!("/v1/products/{product}")).await, "/product/title"), "Walnut Bowl", "REST shows what gRPC made");

    let refusals: [Refusal<'_>; 5] = [
        ("nobody", &[], bowl.clone(), Code::Unauthenticated, "SIGN_IN_REQUIRED"),
        ("with nonsense", &[("authorization", "Bearer nonsense")], bowl.clone(), Code::Unauthenticated, "TOKEN_INVALID"),
        ("as one of our processes", &[("mh-ctx", "e30"), ("mh-ctx-mac", "e30")], bowl.clone(), Code::Unauthenticated, "CONTEXT_INVALID"),
        ("without a title", &as_anna, json!({ "variants": [{ "sku": "x", "price": price }] }), Code::InvalidArgument, "INVALID_REQUEST"),
        ("with a SKU that is taken", &as_anna, bowl.clone(), Code::AlreadyExists, "SKU_TAKEN"),
    ];
    for (name, headers, message, code, reason) in refusals {
        let status = partner.call(create, headers, &message).await.unwrap_err();
        assert_eq!(status.code(), code, "{name}: {status:?}");
        assert!(!status.message().is_empty(), "{name}");
        assert_eq!(said(&partner.problem(&status), "reason"), reason, "{name}");
    }
    let untitled = partner.call(create, &as_anna, &json!({ "variants": [{ "sku": "x", "price": price }] })).await.unwrap_err();
    assert_eq!(said(&partner.problem(&untitled), "violations.field"), "title");
    assert_eq!(list(&seller.get("/v1/products").await, "/products").len(), 1, "nothing of all this did anything");

    // What is for our own processes only is refused, whoever asks.
    for method in ["kit.v1.EventLog/Cells", "kit.v1.Upkeep/Status"] {
        let status = partner.call(method, &as_anna, &json!({ "service": "orders" })).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{method}: {status:?}");
    }
}

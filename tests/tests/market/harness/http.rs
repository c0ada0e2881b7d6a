//! Requests as a program outside makes them.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Who asks: nobody, somebody, or somebody for a tenant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    pub(crate) token: Option<String>,
    pub(crate) tenant: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
    /// Null when the answer is no JSON.
    pub(crate) json: Value,
}

impl Answer {
    /// The names of the fields a refusal complains of.
    pub(crate) fn fields(&self) -> Vec<String> {
        let violations = self.json.get("violations").and_then(Value::as_array);
        violations.into_iter().flatten().filter_map(|violation| violation.get("field").and_then(Value::as_str)).map(str::to_owned).collect()
    }
}

impl Http {
    pub(crate) fn new(base: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(REQUEST_TIMEOUT).build().unwrap();
        Self { client, base: base.to_owned() }
    }

    /// Sends anything; `Err` when no whole answer came.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        caller: &Caller,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, reqwest::Error> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if let Some(token) = &caller.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(tenant) = &caller.tenant {
            request = request.header("x-tenant-id", tenant);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await?;
        let status = response.status().as_u16();
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let bytes = response.bytes().await?.to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Answer { status, content_type, bytes, json })
    }

    /// Opens a stream: its status, and what comes until it ends.
    pub(crate) async fn opens(&self, path: &str, caller: &Caller) -> (u16, reqwest::Response) {
        let mut request = self.client.get(format!("{}{path}", self.base)).header("accept", "text/event-stream");
        if let Some(token) = &caller.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response)
    }

    /// Sends JSON, or nothing for `Null`.
    pub(crate) async fn ask(&self, method: &str, path: &str, caller: &Caller, body: &Value) -> Result<Answer, reqwest::Error> {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        self.send(method, path, caller, &[("content-type", "application/json")], body).await
    }

    /// What must succeed.
    pub(crate) async fn must(&self, method: &str, path: &str, caller: &Caller, body: &Value) -> Value {
        let answer = self.ask(method, path, caller, body).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!((200..300).contains(&answer.status), "{method} {path} {body}: {} {}", answer.status, String::from_utf8_lossy(&answer.bytes));
        answer.json
    }

    pub(crate) async fn get(&self, path: &str, caller: &Caller) -> Value {
        self.must("GET", path, caller, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, caller: &Caller, body: &Value) -> Value {
        self.must("POST", path, caller, body).await
    }

    /// What must be refused with this status.
    pub(crate) async fn refused(&self, method: &str, path: &str, caller: &Caller, body: &Value, status: u16) -> Answer {
        let answer = self.ask(method, path, caller, body).await.unwrap();
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", String::from_utf8_lossy(&answer.bytes));
        answer
    }

    /// Bytes that must be taken or given.
    pub(crate) async fn bytes(&self, method: &str, path: &str, caller: &Caller, content_type: &str, body: Vec<u8>) -> Answer {
        let answer = self.send(method, path, caller, &[("content-type", content_type)], body).await.unwrap();
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.bytes));
        answer
    }
}

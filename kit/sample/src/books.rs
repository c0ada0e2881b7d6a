//! The shelf itself: books in one table, as the bytes of their message.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::Stream;
use kit_core::{Clock, Code, Fault, Id, Ids, Kind};
use kit_db::{Db, DbError};
use kit_module::{Service, Start};
use kit_rpc::proto::google_api::HttpBody;
use kit_rpc::{Ctx, download, parse, status};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::api::shelf_server::{Shelf, ShelfServer};
use crate::api::*;

enum BookKind {}
impl Kind for BookKind {
    const PREFIX: &'static str = "bok";
}
type BookId = Id<BookKind>;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("there is no such book")]
    NotFound,
    #[error("the book changed since you read it")]
    Stale,
    #[error("the shelf is full")]
    Full,
    #[error("{0}")]
    Broken(String),
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::Stale => Code::Stale,
            Self::Full => Code::Conflict,
            Self::Broken(_) => Code::Internal,
            Self::Db(error) => error.code(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "BOOK_NOT_FOUND",
            Self::Stale => "BOOK_CHANGED",
            Self::Full => "SHELF_FULL",
            Self::Broken(_) => "INTERNAL",
            Self::Db(error) => error.reason(),
        }
    }
}

struct Books {
    db: Db,
    clock: Clock,
    ids: Ids,
    scans: Arc<Mutex<Option<PutScanRequest>>>,
}

pub(crate) fn start(start: Start) -> anyhow::Result<Service> {
    let books = Books { db: start.db.clone(), clock: start.clock.clone(), ids: start.ids.clone(), scans: Arc::default() };
    Ok(start.serve(ShelfServer::new(books)))
}

impl Books {
    async fn insert(&self, request: AddBookRequest) -> Result<Book, Error> {
        if request.title == "one too many" {
            return Err(Error::Full);
        }
        let id: BookId = self.ids.next();
        let place = request.place.map(|place| match place {
            add_book_request::Place::Room(room) => book::Place::Room(room),
            add_book_request::Place::Box(number) => book::Place::Box(number),
        });
        let book = Book {
            book_id: id.to_string(),
            title: request.title,
            genre: request.genre,
            pages: request.pages,
            price: request.price,
            added_at: request.added_at.or_else(|| Some(kit_rpc::timestamp(self.clock.now()))),
            print: request.print,
            notes: request.notes,
            copies: request.copies,
            weight: request.weight,
            signed: request.signed,
            version: 1,
            subtitle: None,
            place,
        };
        sqlx::query("insert into book (book_id, book) values ($1, $2)").bind(id.uuid()).bind(book.encode_to_vec()).execute(self.db.pool()).await?;
        Ok(book)
    }

    fn scan(&self) -> Result<PutScanRequest, Status> {
        self.scans.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(|| status(Error::NotFound))
    }

    async fn load(&self, id: BookId) -> Result<Book, Error> {
        let bytes: Option<Vec<u8>> =
            sqlx::query_scalar("select book from book where book_id = $1").bind(id.uuid()).fetch_optional(self.db.pool()).await?;
        Book::decode(bytes.ok_or(Error::NotFound)?.as_slice()).map_err(|error| Error::Broken(error.to_string()))
    }

    async fn update(&self, id: BookId, request: UpdateBookRequest) -> Result<Book, Error> {
        let mut book = self.load(id).await?;
        if request.if_version.is_some_and(|version| version != book.version) {
            return Err(Error::Stale);
        }
        book.title = request.title.unwrap_or(book.title);
        book.version += 1;
        sqlx::query("update book set book = $2, version = version + 1 where book_id = $1")
            .bind(id.uuid())
            .bind(book.encode_to_vec())
            .execute(self.db.pool())
            .await?;
        Ok(book)
    }
}

#[tonic::async_trait]
impl Shelf for Books {
    async fn add_book(&self, request: Request<AddBookRequest>) -> Result<Response<AddBookResponse>, Status> {
        let book = self.insert(request.into_inner()).await.map_err(status)?;
        Ok(Response::new(AddBookResponse { book: Some(book) }))
    }

    async fn get_book(&self, request: Request<GetBookRequest>) -> Result<Response<GetBookResponse>, Status> {
        let book = self.load(parse("book_id", &request.get_ref().book_id)?).await.map_err(status)?;
        Ok(Response::new(GetBookResponse { book: Some(book) }))
    }

    async fn list_books(&self, request: Request<ListBooksRequest>) -> Result<Response<ListBooksResponse>, Status> {
        let request = request.into_inner();
        let rows: Result<Vec<Vec<u8>>, _> = sqlx::query_scalar("select book from book order by book_id desc").fetch_all(self.db.pool()).await;
        let books = rows.map_err(DbError::from).map_err(status)?.into_iter().filter_map(|bytes| Book::decode(bytes.as_slice()).ok());
        let wanted = |book: &Book| (request.genre.is_empty() || request.genre.contains(&book.genre)) && (!request.signed || book.signed);
        let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(20);
        Ok(Response::new(ListBooksResponse { books: books.filter(wanted).take(limit).collect(), next_cursor: String::new() }))
    }

    async fn update_book(&self, request: Request<UpdateBookRequest>) -> Result<Response<UpdateBookResponse>, Status> {
        Ctx::of(&request)?.require_seller("catalog.write")?;
        let request = request.into_inner();
        let book = self.update(parse("book_id", &request.book_id)?, request).await.map_err(status)?;
        Ok(Response::new(UpdateBookResponse { book: Some(book) }))
    }

    async fn remove_book(&self, request: Request<RemoveBookRequest>) -> Result<Response<RemoveBookResponse>, Status> {
        let id: BookId = parse("book_id", &request.get_ref().book_id)?;
        let gone = sqlx::query("delete from book where book_id = $1")
            .bind(id.uuid())
            .execute(self.db.pool())
            .await
            .map_err(DbError::from)
            .map_err(status)?;
        if gone.rows_affected() == 0 {
            return Err(status(Error::NotFound));
        }
        Ok(Response::new(RemoveBookResponse {}))
    }

    async fn put_scan(&self, request: Request<PutScanRequest>) -> Result<Response<PutScanResponse>, Status> {
        let request = request.into_inner();
        let bytes = u32::try_from(request.content.len()).unwrap_or(u32::MAX);
        *self.scans.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        Ok(Response::new(PutScanResponse { bytes }))
    }

    async fn get_scan(&self, _request: Request<GetScanRequest>) -> Result<Response<HttpBody>, Status> {
        let scan = self.scan()?;
        Ok(download(scan.content, &scan.content_type, "scan.png"))
    }

    async fn get_cover(&self, _request: Request<GetCoverRequest>) -> Result<Response<HttpBody>, Status> {
        let scan = self.scan()?;
        Ok(Response::new(HttpBody { content_type: scan.content_type, data: scan.content }))
    }

    type ReadAloudStream = Pin<Box<dyn Stream<Item = Result<ReadAloudResponse, Status>> + Send>>;

    async fn read_aloud(&self, request: Request<ReadAloudRequest>) -> Result<Response<Self::ReadAloudStream>, Status> {
        let lines = request.into_inner().lines;
        let told = futures::stream::unfold(0, move |at| async move {
            if at >= lines {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok(ReadAloudResponse { line: format!("line {at}") }), at + 1))
        });
        Ok(Response::new(Box::pin(told)))
    }

    #[expect(clippy::panic, reason = "to test what callers are told of a panic")]
    async fn r#break(&self, request: Request<BreakRequest>) -> Result<Response<BreakResponse>, Status> {
        match request.get_ref().how() {
            break_request::How::Unspecified => Ok(Response::new(BreakResponse {})),
            break_request::How::Panic => panic!("asked to"),
            break_request::How::Internal => Err(status(Error::Broken("a secret of the house".to_owned()))),
            break_request::How::Hang => std::future::pending().await,
        }
    }

    async fn count_books(&self, request: Request<CountBooksRequest>) -> Result<Response<CountBooksResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let count: Result<i64, _> = sqlx::query_scalar("select count(*) from book").fetch_one(self.db.pool()).await;
        let count = count.map_err(DbError::from).map_err(status)?;
        Ok(Response::new(CountBooksResponse { count: u32::try_from(count).unwrap_or_default() }))
    }
}

//! Questions to a real store.

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;
use sawlog_model::Tenant;

use crate::{Answer, Engine, QueryError};
use rows::{START, request};

mod differential;
mod documentation;
mod limits;
mod memory;
mod normalize;
mod pipes;
mod rows;
mod sql;

/// The lines of JSON of an answer.
async fn lines(answer: Answer) -> Result<Vec<String>, QueryError> {
    let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
    let mut out = Vec::new();
    for batch in &batches {
        assert_eq!(batch.schema(), answer.schema);
        crate::write_ndjson(batch, &mut out);
    }
    Ok(String::from_utf8(out).unwrap().lines().map(str::to_owned).collect())
}

async fn search(engine: &Engine, query: &str) -> Vec<String> {
    let answer = engine.search(request(query)).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    lines(answer).await.unwrap_or_else(|error| panic!("{query}: {error}"))
}

async fn sql(engine: &Engine, statement: &str) -> Result<Vec<String>, QueryError> {
    lines(engine.sql(Tenant::DEFAULT, statement, START).await?).await
}

/// The rows of an SQL statement, where it works.
async fn select(engine: &Engine, statement: &str) -> Vec<String> {
    sql(engine, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

//! SQL over the table `logs`: the statement is read first, since the table has just the fields that it names. Knows
//! nothing of the store.

use datafusion::common::DataFusionError;
use datafusion::execution::session_state::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, VisitMut};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::QueryError;

mod numbers;
mod rewrite;

pub(crate) use numbers::Numbers;

/// The table's name.
pub(crate) const TABLE: &str = "logs";

/// The longest statement, in bytes.
const MAX_LENGTH: usize = 64 << 10;
/// Most operators and keywords that nest: parser and planner walk their trees by recursion.
const MAX_OPERATORS: usize = 250;
/// Stack of the thread that reads and plans a statement, in bytes. Tests make sure that all that is allowed fits.
const STACK: usize = 64 << 20;

/// A statement that was read.
pub(crate) struct Read {
    /// It, ready to plan.
    pub(crate) statement: Statement,
    /// Fields that it names.
    pub(crate) fields: Vec<String>,
}

/// Reads a statement and says which fields it names.
pub(crate) fn read(state: &SessionState, text: &str) -> Result<Read, QueryError> {
    check_size(text)?;
    let dialect = state.config_options().sql_parser.dialect;
    let mut statement = state.sql_to_statement(text, &dialect).map_err(|error| error_in(text, &error))?;
    let query = match &mut statement {
        Statement::Statement(inner) => Some(inner),
        Statement::Explain(explain) => match &mut *explain.statement {
            Statement::Statement(inner) => Some(inner),
            _ => None,
        },
        _ => None,
    };
    let Some(query) = query.filter(|query| matches!(***query, ast::Statement::Query(_))) else {
        let message = "only SELECT can be asked here, and EXPLAIN of one";
        return Err(QueryError::Syntax { start: 0, end: text.len(), message: message.into() });
    };
    let mut rewriter = rewrite::Rewriter::new(query);
    let _ = query.visit(&mut rewriter);
    Ok(Read { statement, fields: rewriter.fields() })
}

/// Runs `work` where there is stack enough for statements.
pub(crate) async fn with_stack<T, F>(work: F) -> Result<T, QueryError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, QueryError>> + Send + 'static,
{
    let failed = |_| QueryError::Failed("planning this statement ended in a fault".into());
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let plan = move || drop(sender.send(runtime.block_on(work)));
    sawlog_sys::task::spawn_with_stack("sql", STACK, plan)
        .map_err(|error| QueryError::Failed(format!("no thread for planning could be started: {error}")))?;
    receiver.await.map_err(failed)?
}

/// Refuses what would nest too deep.
fn check_size(text: &str) -> Result<(), QueryError> {
    let too_much = |start, message: &str| {
        Err(QueryError::Syntax { start, end: text.len(), message: message.to_owned() })
    };
    if text.len() > MAX_LENGTH {
        return too_much(MAX_LENGTH, "this statement is too long; 64 KiB is the most");
    }
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location() else { return Ok(()) };
    let flat = |token: &Token| match token {
        Token::Word(word) => {
            let nesting = [
                "AND",
                "OR",
                "NOT",
                "UNION",
                "EXCEPT",
                "INTERSECT",
                "JOIN",
                "SELECT",
                "CASE",
                "WHEN",
                "LIKE",
                "IS",
            ];
            !(word.quote_style.is_none()
                && nesting.iter().any(|keyword| word.value.eq_ignore_ascii_case(keyword)))
        }
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Whitespace(_)
        | Token::Comma
        | Token::RParen => true,
        Token::SemiColon | Token::Period | Token::EOF => true,
        _ => false,
    };
    match tokens.iter().filter(|token| !flat(&token.token)).nth(MAX_OPERATORS) {
        None => Ok(()),
        Some(token) => too_much(
            offset(text, token.span.start),
            "this statement has too many operators; 250 is the most. `field IN (…)` takes any number of values",
        ),
    }
}

/// The byte at which a line and column stand.
fn offset(text: &str, at: Location) -> usize {
    let line =
        text.split_inclusive('\n').take((at.line as usize).saturating_sub(1)).map(str::len).sum::<usize>();
    let inside =
        text[line..].chars().take((at.column as usize).saturating_sub(1)).map(char::len_utf8).sum::<usize>();
    (line + inside).min(text.len())
}

/// What the parser or planner says, with the place where it says one.
pub(crate) fn error_in(text: &str, error: &DataFusionError) -> QueryError {
    let error = error.find_root();
    let message = match error {
        DataFusionError::SQL(inner, _) => inner.to_string(),
        other => other.strip_backtrace(),
    };
    let place = message.rsplit_once("at Line: ").and_then(|(_, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let digits = column.bytes().take_while(u8::is_ascii_digit).count();
        Some(Location { line: line.parse().ok()?, column: column[..digits].parse().ok()? })
    });
    let start = place.map_or(0, |place| offset(text, place));
    let len =
        text[start..].find(char::is_whitespace).filter(|_| place.is_some()).unwrap_or(text.len() - start);
    QueryError::Syntax { start, end: start + len, message }
}

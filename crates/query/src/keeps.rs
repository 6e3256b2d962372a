//! A test of the query language as a condition on a column, for filters behind pipes that make new columns. Knows
//! nothing of rows: those are tested by the store.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::BooleanArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, cast::as_string_view_array};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::Expr;
use sawlog_model::Test;

/// Whether the values of a column pass the test; NULL does not.
pub(crate) fn keeps(test: Test, column: Expr) -> Expr {
    ScalarUDF::new_from_impl(Keeps { test, signature: Signature::any(1, Volatility::Immutable) })
        .call(vec![column])
}

#[derive(Debug, PartialEq)]
struct Keeps {
    test: Test,
    signature: Signature,
}

impl Eq for Keeps {}

impl Hash for Keeps {
    fn hash<H: Hasher>(&self, state: &mut H) {
        format!("{:?}", self.test).hash(state);
    }
}

impl ScalarUDFImpl for Keeps {
    fn name(&self) -> &str {
        "keeps"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let [value] = &args.args[..] else {
            return datafusion::common::exec_err!("keeps takes one argument");
        };
        let texts = cast(&value.to_array(args.number_rows)?, &DataType::Utf8View)?;
        let texts = as_string_view_array(&texts)?;
        let kept =
            texts.iter().map(|text| Some(text.is_some_and(|text| self.test.keeps_text(text.as_bytes()))));
        Ok(ColumnarValue::Array(Arc::new(kept.collect::<BooleanArray>())))
    }
}

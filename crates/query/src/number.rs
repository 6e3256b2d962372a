//! `num(text)`: the number that a text is, or NULL. Fields of logs are texts, among which some are numbers; this is
//! what stands between them and arithmetic. Knows nothing of when it is needed (`sql` and the pipes decide).

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, Float64Array, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, cast::as_string_view_array};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::Expr;
use sawlog_model::Decimal;

/// The function, as the engine registers it.
pub(crate) static NUM: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::new_from_impl(Num { signature: Signature::any(1, Volatility::Immutable) }))
});

/// The number that `text` is.
pub(crate) fn num(text: Expr) -> Expr {
    NUM.call(vec![text])
}

/// Whether a column of this type holds texts.
pub(crate) fn is_text(of: &DataType) -> bool {
    matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The number that `text` is; `None` also where it is beyond what 64 bits hold.
pub(crate) fn parse(text: &str) -> Option<f64> {
    Decimal::parse(text.as_bytes())?;
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Num {
    signature: Signature,
}

impl ScalarUDFImpl for Num {
    fn name(&self) -> &str {
        "num"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// What is no text stays what it is, so that counts and times keep their types.
    fn return_type(&self, arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        match arguments {
            [of] if !is_text(of) && *of != DataType::Null => Ok(of.clone()),
            [_] => Ok(DataType::Float64),
            _ => datafusion::common::plan_err!("num takes one argument: num(field)"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let [value] = &args.args[..] else { return datafusion::common::exec_err!("num takes one argument") };
        let is_scalar = matches!(value, ColumnarValue::Scalar(_));
        let numbers = numbers(&value.to_array(if is_scalar { 1 } else { args.number_rows })?)?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&numbers, 0)?),
            false => ColumnarValue::Array(numbers),
        })
    }
}

fn numbers(values: &ArrayRef) -> Result<ArrayRef, DataFusionError> {
    if !is_text(values.data_type()) && *values.data_type() != DataType::Null {
        return Ok(values.clone());
    }
    let texts = cast(values, &DataType::Utf8View)?;
    let texts: &StringViewArray = as_string_view_array(&texts)?;
    // A column that is all NULL is common: the field is in other rows only.
    if texts.null_count() == texts.len() {
        return Ok(Arc::new(Float64Array::new_null(texts.len())));
    }
    Ok(Arc::new(texts.iter().map(|text| text.and_then(parse)).collect::<Float64Array>()))
}

//! Puts `num()` around texts where a number is wanted: in arithmetic, beside a number in a comparison, in functions of
//! numbers. Without it the engine would refuse the statement, or fail on the first text that is none.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawWindowExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, WindowFunctionDefinition};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::number::{is_text, num};

/// Functions whose first argument is a number.
const OF_NUMBERS: [&str; 18] = [
    "sum",
    "avg",
    "mean",
    "median",
    "approx_median",
    "approx_percentile_cont",
    "percentile_cont",
    "quantile_cont",
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "var",
    "var_samp",
    "var_sample",
    "var_pop",
    "var_population",
    "corr",
    "covar_samp",
];

/// The planner that does it.
#[derive(Debug)]
pub(crate) struct Numbers;

impl ExprPlanner for Numbers {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>, DataFusionError> {
        use BinaryOperator::{Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo, Multiply, NotEq, Plus};
        let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
        let is_number = |of: &DataType| of.is_numeric();
        let wanted = match expr.op {
            Plus | Minus | Multiply | Divide | Modulo => {
                (is_text(&left) || is_number(&left)) && (is_text(&right) || is_number(&right))
            }
            Eq | NotEq | Lt | LtEq | Gt | GtEq => is_number(&left) || is_number(&right),
            _ => false,
        };
        if wanted && is_text(&left) {
            expr.left = num(expr.left);
        }
        if wanted && is_text(&right) {
            expr.right = num(expr.right);
        }
        Ok(PlannerResult::Original(expr))
    }

    fn plan_aggregate(
        &self,
        mut expr: RawAggregateExpr,
    ) -> Result<PlannerResult<RawAggregateExpr>, DataFusionError> {
        if wants_numbers(expr.func.name(), &expr.args) {
            expr.args = expr.args.into_iter().map(unless_literal).collect();
            for key in &mut expr.order_by {
                key.expr = unless_literal(key.expr.clone());
            }
        }
        Ok(PlannerResult::Original(expr))
    }

    fn plan_window(&self, mut expr: RawWindowExpr) -> Result<PlannerResult<RawWindowExpr>, DataFusionError> {
        if let WindowFunctionDefinition::AggregateUDF(function) = &expr.func_def
            && wants_numbers(function.name(), &expr.args)
        {
            expr.args = expr.args.into_iter().map(unless_literal).collect();
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// Whether the function is of numbers. The least and greatest of a field are; of sawlog's own columns, and of what an
/// expression makes, they are as SQL has them.
fn wants_numbers(function: &str, arguments: &[Expr]) -> bool {
    let of_field = matches!(arguments, [Expr::Column(column)] if !column.name.starts_with('_'));
    OF_NUMBERS.contains(&function) || (["min", "max"].contains(&function) && of_field)
}

fn unless_literal(value: Expr) -> Expr {
    if matches!(value, Expr::Literal(..)) { value } else { num(value) }
}

//! What is done to a statement before it is planned, so that SQL suits fields that are all texts: dotted names are
//! fields, `CAST` gives NULL where there is no number, `*` gives sawlog's own columns. Knows nothing of types; where they
//! decide, `numbers` does.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, ObjectName, ObjectNamePart, OrderByKind,
    Query, Select, SelectItem, SetExpr, Statement, TableFactor, UnaryOperator, Value, Visit, VisitMut,
    Visitor, VisitorMut,
};

use super::TABLE;
use crate::table::OWN;

/// Walks a statement, changes it and collects the fields it names.
pub(super) struct Rewriter {
    /// Names of tables in the statement: in `a.b` such an `a` is no part of a field's name.
    relations: BTreeSet<String>,
    /// Names that `WITH` gives.
    with: BTreeSet<String>,
    /// How often each name stands where a field can.
    named: HashMap<String, usize>,
    /// How often of these it means a result of the same SELECT.
    results: HashMap<String, usize>,
}

/// Collects the names of tables.
#[derive(Default)]
struct Relations {
    relations: BTreeSet<String>,
    with: BTreeSet<String>,
}

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.relations.insert(table.alias.name.value.clone());
            self.with.insert(table.alias.name.value.clone());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let (name, alias) = match factor {
            TableFactor::Table { name, alias, .. } => (last(name), alias),
            TableFactor::Derived { alias, .. } => (None, alias),
            _ => return ControlFlow::Continue(()),
        };
        self.relations.extend(name.map(|name| name.value.clone()));
        self.relations.extend(alias.as_ref().map(|alias| alias.name.value.clone()));
        ControlFlow::Continue(())
    }
}

fn last(name: &ObjectName) -> Option<&Ident> {
    name.0.last().and_then(ObjectNamePart::as_ident)
}

impl Rewriter {
    pub(super) fn new(statement: &Statement) -> Self {
        let mut found = Relations::default();
        let _ = statement.visit(&mut found);
        Rewriter {
            relations: found.relations,
            with: found.with,
            named: HashMap::new(),
            results: HashMap::new(),
        }
    }

    /// The fields that the statement names, in order.
    pub(super) fn fields(self) -> Vec<String> {
        let results = self.results;
        let is_field = |(name, count): &(String, usize)| results.get(name).is_none_or(|own| own < count);
        let mut fields: Vec<String> = self.named.into_iter().filter(is_field).map(|(name, _)| name).collect();
        fields.sort();
        fields
    }

    fn note(&mut self, name: &str) {
        *self.named.entry(name.to_owned()).or_default() += 1;
    }

    /// `a.b.c` where `a` is no table is the field `a.b.c`; where it is one, the field `b.c` of it.
    fn compound(&mut self, parts: &[Ident]) -> Expr {
        let joined = |parts: &[Ident]| {
            let names: Vec<&str> = parts.iter().map(|part| &part.value[..]).collect();
            Ident::with_quote('"', names.join("."))
        };
        match parts {
            [table, rest @ ..] if self.relations.contains(&table.value) && !rest.is_empty() => {
                let name = joined(rest);
                self.note(&name.value);
                Expr::CompoundIdentifier(vec![table.clone(), name])
            }
            _ => {
                let name = joined(parts);
                self.note(&name.value);
                Expr::Identifier(name)
            }
        }
    }

    /// Whether the SELECT reads the table itself and nothing else.
    fn reads_logs(&self, select: &Select) -> bool {
        let [from] = &select.from[..] else { return false };
        let TableFactor::Table { name, .. } = &from.relation else { return false };
        from.joins.is_empty()
            && last(name).is_some_and(|name| name.value == TABLE && !self.with.contains(TABLE))
    }

    /// `*` becomes sawlog's own columns.
    fn spread_star(&self, select: &mut Select) {
        if !self.reads_logs(select) {
            return;
        }
        let is_plain = |item: &SelectItem| match item {
            SelectItem::Wildcard(with) => {
                with.opt_ilike.is_none()
                    && with.opt_exclude.is_none()
                    && with.opt_except.is_none()
                    && with.opt_replace.is_none()
                    && with.opt_rename.is_none()
            }
            _ => false,
        };
        let items = std::mem::take(&mut select.projection);
        for item in items {
            match is_plain(&item) {
                true => select.projection.extend(OWN.map(|name| SelectItem::UnnamedExpr(identifier(name)))),
                false => select.projection.push(item),
            }
        }
    }
}

/// The results of a SELECT that have names of their own.
fn aliases(select: &Select) -> HashMap<&str, &Expr> {
    fn named(item: &SelectItem) -> Option<(&str, &Expr)> {
        match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((&alias.value, expr)),
            _ => None,
        }
    }
    select.projection.iter().filter_map(named).collect()
}

/// Whether the expression names the field itself: `lower(level) AS level`.
fn mentions(expression: &Expr, name: &str) -> bool {
    struct Mentions<'a>(&'a str);
    impl Visitor for Mentions<'_> {
        type Break = ();
        fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
            match expression {
                Expr::Identifier(name) if name.value == self.0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expression.visit(&mut Mentions(name)).is_break()
}

/// In `GROUP BY` and `HAVING` a result's name means the result, though a field may have that name too.
fn group_by_results(select: &mut Select) {
    struct Named(HashMap<String, Expr>);
    impl VisitorMut for Named {
        type Break = ();
        fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
            if let Expr::Identifier(name) = expression
                && let Some(result) = self.0.get(&name.value)
            {
                *expression = result.clone();
            }
            ControlFlow::Continue(())
        }
    }
    let results = aliases(select).into_iter().filter(|(name, result)| !mentions(result, name));
    let mut named = Named(results.map(|(name, result)| (name.to_owned(), result.clone())).collect());
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        // Inside of a larger key such a name is a field, as everywhere in SQL.
        for key in keys.iter_mut().filter(|key| matches!(key, Expr::Identifier(_))) {
            let _ = named.post_visit_expr(key);
        }
    }
    let _ = VisitMut::visit(&mut select.having, &mut named);
}

fn identifier(name: &str) -> Expr {
    Expr::Identifier(Ident::with_quote('"', name))
}

impl VisitorMut for Rewriter {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let (SetExpr::Select(select), Some(order)) = (&*query.body, &query.order_by) else {
            return ControlFlow::Continue(());
        };
        let names = aliases(select);
        if let OrderByKind::Expressions(keys) = &order.kind {
            for key in keys {
                if let Expr::Identifier(name) = &key.expr
                    && names.contains_key(&name.value[..])
                {
                    *self.results.entry(name.value.clone()).or_default() += 1;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.spread_star(select);
        group_by_results(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Some(parts) = dotted(expression) {
            *expression = match &parts[..] {
                [one] => Expr::Identifier(one.clone()),
                _ => Expr::CompoundIdentifier(parts),
            };
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        match expression {
            Expr::Identifier(name) => {
                let name = name.value.clone();
                self.note(&name);
            }
            Expr::CompoundIdentifier(parts) => {
                let parts = std::mem::take(parts);
                *expression = self.compound(&parts);
            }
            Expr::Function(function) => lower_name(function),
            Expr::Cast { kind: kind @ CastKind::Cast, data_type, .. } if is_number(data_type) => {
                *kind = CastKind::TryCast;
            }
            Expr::Between { expr, negated, low, high } => {
                *expression = between((**expr).clone(), *negated, (**low).clone(), (**high).clone());
            }
            Expr::InList { expr, list, .. } if is_field(expr) && list.iter().any(is_number_literal) => {
                **expr = num((**expr).clone());
            }
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } if is_field(expr) => {
                **expr = num((**expr).clone());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The parts of a field's name that the parser took for a function without parentheses (`user`) or for something inside
/// of one (`user.name`).
fn dotted(expression: &Expr) -> Option<Vec<Ident>> {
    match expression {
        Expr::Identifier(name) => Some(vec![name.clone()]),
        Expr::Function(Function { name, args: FunctionArguments::None, over: None, .. }) => {
            let name = last(name).filter(|_| name.0.len() == 1)?;
            let is_time =
                ["current", "local"].iter().any(|start| name.value.to_ascii_lowercase().starts_with(start));
            (!is_time).then(|| vec![name.clone()])
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            let mut parts = dotted(root)?;
            for access in access_chain {
                match access {
                    AccessExpr::Dot(inner) => parts.extend(dotted(inner)?),
                    AccessExpr::Subscript(_) => return None,
                }
            }
            Some(parts)
        }
        Expr::CompoundIdentifier(parts) => Some(parts.clone()),
        _ => None,
    }
}

/// Names of functions are the one thing that has no case.
fn lower_name(function: &mut Function) {
    for part in &mut function.name.0 {
        if let ObjectNamePart::Identifier(name) = part
            && name.quote_style.is_none()
        {
            name.value = name.value.to_ascii_lowercase();
        }
    }
}

/// As two comparisons, which know of numbers.
fn between(value: Expr, negated: bool, low: Expr, high: Expr) -> Expr {
    let binary =
        |left: &Expr, op, right| Expr::BinaryOp { left: Box::new(left.clone()), op, right: Box::new(right) };
    let (from, join, to) = match negated {
        false => (BinaryOperator::GtEq, BinaryOperator::And, BinaryOperator::LtEq),
        true => (BinaryOperator::Lt, BinaryOperator::Or, BinaryOperator::Gt),
    };
    let both = binary(&binary(&value, from, low), join, binary(&value, to, high));
    Expr::Nested(Box::new(both))
}

fn is_field(value: &Expr) -> bool {
    matches!(value, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

fn is_number_literal(value: &Expr) -> bool {
    match value {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => is_number_literal(expr),
        _ => false,
    }
}

fn is_number(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Int(_)
            | DataType::Integer(_)
            | DataType::BigInt(_)
            | DataType::SmallInt(_)
            | DataType::TinyInt(_)
            | DataType::Float(_)
            | DataType::Real
            | DataType::Double(_)
            | DataType::DoublePrecision
            | DataType::Decimal(_)
            | DataType::Numeric(_)
    )
}

/// `num(value)`.
fn num(value: Expr) -> Expr {
    let argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(value));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("num")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

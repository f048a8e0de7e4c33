//! A compiled template: statements and expressions.
//!
//! An expression knows its depth when it is made, and one that is too deep is never made: neither running a template
//! nor dropping it can exhaust the stack.

use std::sync::Arc;

/// A statement and its line.
#[derive(Debug)]
pub(super) struct Stmt {
    pub(super) line: u32,
    pub(super) kind: StmtKind,
}

/// Statements in a row.
pub(super) type Body = Vec<Stmt>;

#[derive(Debug)]
pub(super) enum StmtKind {
    Data(Arc<str>),
    Print(Expr),
    If(Vec<(Expr, Body)>, Body),
    For(Arc<For>),
    Set(Target, Expr),
    /// `is_new` if nothing looked at the name before; then the body does not see the variable of the row either.
    SetBlock {
        target: Target,
        is_new: bool,
        filters: Vec<Filter>,
        body: Body,
    },
    With(Vec<(Target, Expr)>, Body),
    Filter(Vec<Filter>, Body),
    Macro(Arc<Macro>),
    Call(Arc<Macro>, Expr),
    /// What the model is to generate.
    Generation(Body),
    /// A scope of its own, and nothing else.
    Scope(Body),
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) iter: Expr,
    pub(super) test: Option<Expr>,
    pub(super) body: Body,
    pub(super) otherwise: Body,
    pub(super) recursive: bool,
}

#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: Arc<str>,
    pub(super) params: Vec<(Arc<str>, Option<Expr>)>,
    pub(super) body: Body,
    /// Which of `varargs`, `kwargs` and `caller` the body looks at; jinja2 refuses arguments for the others.
    pub(super) uses: [bool; 3],
}

/// What a value is assigned to.
#[derive(Debug)]
pub(super) enum Target {
    Name(Arc<str>),
    /// An attribute of a namespace.
    Attribute(Arc<str>, Arc<str>),
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub(super) struct Filter {
    pub(super) name: Arc<str>,
    pub(super) args: Args,
}

#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) list: Vec<Arg>,
}

#[derive(Debug)]
pub(super) enum Arg {
    Plain(Expr),
    Named(Arc<str>, Expr),
    Spread(Expr),
    SpreadNamed(Expr),
}

#[derive(Debug)]
pub(super) struct Expr {
    pub(super) depth: u16,
    pub(super) kind: Box<ExprKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

#[derive(Debug)]
pub(super) enum ExprKind {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(Arc<str>),
    Name(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Not(Expr),
    Negative(Expr),
    Positive(Expr),
    Binary(Binary, Expr, Expr),
    Concat(Vec<Expr>),
    And(Expr, Expr),
    Or(Expr, Expr),
    Compare(Expr, Vec<(Compare, Expr)>),
    If { test: Expr, yes: Expr, no: Option<Expr> },
    Attribute(Expr, Arc<str>),
    Item(Expr, Expr),
    Slice(Expr, [Option<Expr>; 3]),
    Call(Expr, Args),
    Filter(Expr, Filter),
    Test { negated: bool, value: Expr, name: Arc<str>, args: Args },
}

impl Args {
    fn depth(&self) -> u16 {
        let of = |arg: &Arg| match arg {
            Arg::Plain(expr) | Arg::Named(_, expr) | Arg::Spread(expr) | Arg::SpreadNamed(expr) => expr.depth,
        };
        self.list.iter().map(of).max().unwrap_or(0)
    }
}

impl ExprKind {
    /// The depth of what is below.
    pub(super) fn depth(&self) -> u16 {
        let deepest = |items: &[Expr]| items.iter().map(|item| item.depth).max().unwrap_or(0);
        match self {
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::Name(_) => 0,
            Self::List(items) | Self::Tuple(items) | Self::Concat(items) => deepest(items),
            Self::Dict(items) => items.iter().map(|(a, b)| a.depth.max(b.depth)).max().unwrap_or(0),
            Self::Not(a) | Self::Negative(a) | Self::Positive(a) | Self::Attribute(a, _) => a.depth,
            Self::Binary(_, a, b) | Self::And(a, b) | Self::Or(a, b) | Self::Item(a, b) => {
                a.depth.max(b.depth)
            }
            Self::Compare(a, more) => more.iter().map(|(_, b)| b.depth).max().unwrap_or(0).max(a.depth),
            Self::If { test, yes, no } => test.depth.max(yes.depth).max(no.as_ref().map_or(0, |no| no.depth)),
            Self::Slice(a, bounds) => {
                bounds.iter().flatten().map(|bound| bound.depth).max().unwrap_or(0).max(a.depth)
            }
            Self::Call(a, args) => a.depth.max(args.depth()),
            Self::Filter(a, filter) => a.depth.max(filter.args.depth()),
            Self::Test { value, args, .. } => value.depth.max(args.depth()),
        }
    }
}

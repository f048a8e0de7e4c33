//! Expressions, by the grammar and the precedence of jinja2.

use std::sync::Arc;

use super::ast::{Arg, Args, Binary, Compare, Expr, ExprKind, Filter};
use super::error::Outcome;
use super::lex::Kind;
use super::parse::Parser;
use super::{checks, filters};

impl Parser {
    /// One expression; `condition` allows `a if b else c`.
    pub(super) fn expression(&mut self, condition: bool) -> Outcome<Expr> {
        self.deeper(|parser| {
            let mut expr = parser.or()?;
            while condition && parser.skip_name("if") {
                let test = parser.or()?;
                let no = if parser.skip_name("else") { Some(parser.expression(true)?) } else { None };
                expr = Self::node(ExprKind::If { test, yes: expr, no })?;
            }
            Ok(expr)
        })
    }

    /// One expression, or a tuple without parentheses.
    pub(super) fn tuple(&mut self, condition: bool, before_recursive: bool) -> Outcome<Expr> {
        self.items(condition, before_recursive, false)
    }

    fn items(&mut self, condition: bool, before_recursive: bool, in_parentheses: bool) -> Outcome<Expr> {
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            let ends = matches!(self.kind(), Kind::BlockEnd | Kind::VariableEnd)
                || self.is_operator(")")
                || (before_recursive && self.is_name("recursive"));
            if ends {
                break;
            }
            items.push(self.expression(condition)?);
            if !self.skip_operator(",") {
                break;
            }
            is_tuple = true;
        }
        if is_tuple || (in_parentheses && items.is_empty()) {
            return Self::node(ExprKind::Tuple(items));
        }
        match items.pop() {
            Some(item) => Ok(item),
            None => self.unexpected("an expression"),
        }
    }

    fn or(&mut self) -> Outcome<Expr> {
        let mut left = self.and()?;
        while self.skip_name("or") {
            let right = self.and()?;
            left = Self::node(ExprKind::Or(left, right))?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Outcome<Expr> {
        let mut left = self.not()?;
        while self.skip_name("and") {
            let right = self.not()?;
            left = Self::node(ExprKind::And(left, right))?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Outcome<Expr> {
        if self.skip_name("not") {
            let inner = self.deeper(Self::not)?;
            return Self::node(ExprKind::Not(inner));
        }
        self.compare()
    }

    fn compare(&mut self) -> Outcome<Expr> {
        let first = self.sum()?;
        let mut more = Vec::new();
        loop {
            let compare = match self.kind() {
                Kind::Operator("==") => Compare::Eq,
                Kind::Operator("!=") => Compare::Ne,
                Kind::Operator("<") => Compare::Lt,
                Kind::Operator("<=") => Compare::Le,
                Kind::Operator(">") => Compare::Gt,
                Kind::Operator(">=") => Compare::Ge,
                Kind::Name(name) if **name == *"in" => Compare::In,
                Kind::Name(name) if **name == *"not" && is_named(self.peek(1), "in") => {
                    self.advance();
                    Compare::NotIn
                }
                _ => break,
            };
            self.advance();
            more.push((compare, self.sum()?));
        }
        if more.is_empty() { Ok(first) } else { Self::node(ExprKind::Compare(first, more)) }
    }

    fn sum(&mut self) -> Outcome<Expr> {
        let mut left = self.concat()?;
        loop {
            let binary = match self.kind() {
                Kind::Operator("+") => Binary::Add,
                Kind::Operator("-") => Binary::Sub,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.concat()?;
            left = Self::node(ExprKind::Binary(binary, left, right))?;
        }
    }

    fn concat(&mut self) -> Outcome<Expr> {
        let first = self.product()?;
        if !self.is_operator("~") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.skip_operator("~") {
            items.push(self.product()?);
        }
        Self::node(ExprKind::Concat(items))
    }

    fn product(&mut self) -> Outcome<Expr> {
        let mut left = self.power()?;
        loop {
            let binary = match self.kind() {
                Kind::Operator("*") => Binary::Mul,
                Kind::Operator("/") => Binary::Div,
                Kind::Operator("//") => Binary::FloorDiv,
                Kind::Operator("%") => Binary::Mod,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.power()?;
            left = Self::node(ExprKind::Binary(binary, left, right))?;
        }
    }

    fn power(&mut self) -> Outcome<Expr> {
        let mut left = self.unary(true)?;
        while self.skip_operator("**") {
            let right = self.unary(true)?;
            left = Self::node(ExprKind::Binary(Binary::Pow, left, right))?;
        }
        Ok(left)
    }

    fn unary(&mut self, with_filters: bool) -> Outcome<Expr> {
        let expr = if self.skip_operator("-") {
            let inner = self.deeper(|parser| parser.unary(false))?;
            Self::node(ExprKind::Negative(inner))?
        } else if self.skip_operator("+") {
            let inner = self.deeper(|parser| parser.unary(false))?;
            Self::node(ExprKind::Positive(inner))?
        } else {
            self.primary()?
        };
        let expr = self.postfix(expr)?;
        if with_filters { self.filtered(expr) } else { Ok(expr) }
    }

    fn primary(&mut self) -> Outcome<Expr> {
        let kind = match self.kind().clone() {
            Kind::Name(name) => {
                self.advance();
                match &*name {
                    "true" | "True" => ExprKind::Bool(true),
                    "false" | "False" => ExprKind::Bool(false),
                    "none" | "None" => ExprKind::None,
                    _ => {
                        self.names.push(name.clone());
                        ExprKind::Name(name)
                    }
                }
            }
            Kind::Text(text) => {
                self.advance();
                let mut whole = text;
                while let Kind::Text(more) = self.kind() {
                    whole = format!("{whole}{more}").into();
                    self.advance();
                }
                ExprKind::Text(whole)
            }
            Kind::Int(value) => {
                self.advance();
                ExprKind::Int(value)
            }
            Kind::Float(value) => {
                self.advance();
                ExprKind::Float(value)
            }
            Kind::Operator("(") => {
                self.advance();
                let inner = self.items(true, false, true)?;
                self.expect_operator(")")?;
                return Ok(inner);
            }
            Kind::Operator("[") => {
                self.advance();
                let mut items = Vec::new();
                while !self.is_operator("]") {
                    if !items.is_empty() {
                        self.expect_operator(",")?;
                    }
                    if self.is_operator("]") {
                        break;
                    }
                    items.push(self.expression(true)?);
                }
                self.advance();
                ExprKind::List(items)
            }
            Kind::Operator("{") => {
                self.advance();
                let mut items = Vec::new();
                while !self.is_operator("}") {
                    if !items.is_empty() {
                        self.expect_operator(",")?;
                    }
                    if self.is_operator("}") {
                        break;
                    }
                    let key = self.expression(true)?;
                    self.expect_operator(":")?;
                    items.push((key, self.expression(true)?));
                }
                self.advance();
                ExprKind::Dict(items)
            }
            _ => return self.unexpected("an expression"),
        };
        Self::node(kind)
    }

    fn postfix(&mut self, mut expr: Expr) -> Outcome<Expr> {
        loop {
            expr = if self.skip_operator(".") {
                self.attribute(expr)?
            } else if self.skip_operator("[") {
                self.subscript(expr)?
            } else if self.is_operator("(") {
                let args = self.args()?;
                Self::node(ExprKind::Call(expr, args))?
            } else {
                return Ok(expr);
            };
        }
    }

    fn attribute(&mut self, expr: Expr) -> Outcome<Expr> {
        if let Kind::Int(index) = *self.kind() {
            self.advance();
            let index = Self::node(ExprKind::Int(index))?;
            return Self::node(ExprKind::Item(expr, index));
        }
        let name = self.name()?;
        Self::node(ExprKind::Attribute(expr, name))
    }

    fn subscript(&mut self, expr: Expr) -> Outcome<Expr> {
        let mut bounds: [Option<Expr>; 3] = [None, None, None];
        let mut colons = 0;
        loop {
            if self.skip_operator(":") {
                colons += 1;
                if colons > 2 {
                    return self.fail("a slice has at most two colons");
                }
            } else if self.skip_operator("]") {
                break;
            } else if bounds[colons].is_none() {
                bounds[colons] = Some(self.expression(true)?);
                if self.is_operator(",") {
                    return self.fail("a subscript with a comma is not supported");
                }
            } else {
                return self.unexpected("`]`");
            }
        }
        match (colons, bounds) {
            (0, [Some(index), ..]) => Self::node(ExprKind::Item(expr, index)),
            (0, _) => self.fail("a subscript is empty"),
            (_, bounds) => Self::node(ExprKind::Slice(expr, bounds)),
        }
    }

    fn filtered(&mut self, mut expr: Expr) -> Outcome<Expr> {
        loop {
            expr = if self.skip_operator("|") {
                let filter = self.filter()?;
                Self::node(ExprKind::Filter(expr, filter))?
            } else if self.skip_name("is") {
                self.test(expr)?
            } else if self.is_operator("(") {
                let args = self.args()?;
                Self::node(ExprKind::Call(expr, args))?
            } else {
                return Ok(expr);
            };
        }
    }

    /// A filter after its `|`.
    pub(super) fn filter(&mut self) -> Outcome<Filter> {
        let name = self.dotted()?;
        if !filters::NAMES.contains(&&*name) {
            return self.fail(&format!("there is no filter `{name}`"));
        }
        let args = if self.is_operator("(") { self.args()? } else { Args::default() };
        Ok(Filter { name, args })
    }

    fn test(&mut self, value: Expr) -> Outcome<Expr> {
        let negated = self.skip_name("not");
        let name = self.dotted()?;
        if !checks::NAMES.contains(&&*name) {
            return self.fail(&format!("there is no test `{name}`"));
        }
        let starts_argument = match self.kind() {
            Kind::Name(name) => !matches!(&**name, "else" | "or" | "and"),
            Kind::Text(_) | Kind::Int(_) | Kind::Float(_) | Kind::Operator("[" | "{") => true,
            _ => false,
        };
        let args = if self.is_operator("(") {
            self.args()?
        } else if starts_argument {
            if self.is_name("is") {
                return self.fail("tests cannot be chained by `is`");
            }
            let arg = self.primary()?;
            let arg = self.postfix(arg)?;
            Args { list: vec![Arg::Plain(arg)] }
        } else {
            Args::default()
        };
        Self::node(ExprKind::Test { negated, value, name, args })
    }

    fn dotted(&mut self) -> Outcome<Arc<str>> {
        let mut name = self.name()?;
        while self.skip_operator(".") {
            name = format!("{name}.{}", self.name()?).into();
        }
        Ok(name)
    }

    fn args(&mut self) -> Outcome<Args> {
        self.expect_operator("(")?;
        let mut args = Args::default();
        while !self.is_operator(")") {
            if !args.list.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator(")") {
                    break;
                }
            }
            let named = args.list.iter().any(|arg| matches!(arg, Arg::Named(..) | Arg::SpreadNamed(_)));
            let arg = if self.skip_operator("**") {
                Arg::SpreadNamed(self.expression(true)?)
            } else if self.skip_operator("*") {
                Arg::Spread(self.expression(true)?)
            } else if let (Kind::Name(name), Kind::Operator("=")) = (self.kind().clone(), self.peek(1)) {
                self.advance();
                self.advance();
                Arg::Named(name, self.expression(true)?)
            } else if named {
                return self.fail("an argument without a name follows one with a name");
            } else {
                Arg::Plain(self.expression(true)?)
            };
            args.list.push(arg);
        }
        self.advance();
        Ok(args)
    }
}

fn is_named(kind: &Kind, name: &str) -> bool {
    matches!(kind, Kind::Name(found) if **found == *name)
}

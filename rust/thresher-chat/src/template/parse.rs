//! Statements, by the grammar of jinja2 with loop controls and Hugging Face's `generation` tag.

use std::collections::HashSet;
use std::sync::Arc;

use super::ast::{Body, Expr, ExprKind, Filter, For, Macro, Stmt, StmtKind, Target};
use super::error::{Failure, Outcome};
use super::lex::{Kind, Token, tokens};

/// Statements and expressions that stand in each other.
pub(super) const MAX_DEPTH: u16 = 150;

/// A template cut into statements, and whether it says what the model is to generate.
pub(super) struct Parsed {
    pub(super) body: Body,
    pub(super) has_generation: bool,
}

/// Parses a template.
pub(super) fn parse(source: &str) -> Outcome<Parsed> {
    let mut parser = Parser {
        tokens: tokens(source)?,
        at: 0,
        depth: 0,
        names: Vec::new(),
        has_generation: false,
        loops: 0,
    };
    let body = parser.body(&[])?;
    Ok(Parsed { body, has_generation: parser.has_generation })
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
    pub(super) depth: u16,
    /// Names that were looked at so far; what a macro uses is found in it.
    pub(super) names: Vec<Arc<str>>,
    has_generation: bool,
    /// Loops that `break` and `continue` can leave from here.
    loops: usize,
}

impl Parser {
    pub(super) fn kind(&self) -> &Kind {
        self.peek(0)
    }

    pub(super) fn peek(&self, ahead: usize) -> &Kind {
        self.tokens.get(self.at + ahead).map_or(&Kind::End, |token| &token.kind)
    }

    pub(super) fn line(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.line)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn fail<T>(&self, what: &str) -> Outcome<T> {
        Err(Failure::syntax(self.line(), what))
    }

    pub(super) fn unexpected<T>(&self, wanted: &str) -> Outcome<T> {
        let found = match self.kind() {
            Kind::Name(name) => format!("`{name}`"),
            Kind::Operator(operator) => format!("`{operator}`"),
            Kind::End => "the end of the template".to_owned(),
            Kind::BlockEnd | Kind::VariableEnd => "the end of the tag".to_owned(),
            _ => "something else".to_owned(),
        };
        self.fail(&format!("{wanted} was expected, not {found}"))
    }

    pub(super) fn is_operator(&self, operator: &str) -> bool {
        matches!(self.kind(), Kind::Operator(found) if *found == operator)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.kind(), Kind::Name(found) if **found == *name)
    }

    pub(super) fn skip_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_operator(&mut self, operator: &str) -> Outcome<()> {
        if self.skip_operator(operator) { Ok(()) } else { self.unexpected(&format!("`{operator}`")) }
    }

    pub(super) fn name(&mut self) -> Outcome<Arc<str>> {
        if let Kind::Name(name) = self.kind() {
            let name = name.clone();
            self.advance();
            return Ok(name);
        }
        self.unexpected("a name")
    }

    /// Makes an expression, unless it is too deep.
    pub(super) fn node(kind: ExprKind) -> Outcome<Expr> {
        let depth = kind.depth() + 1;
        if depth > MAX_DEPTH {
            return Err(Failure::limit(&format!("an expression is more than {MAX_DEPTH} levels deep")));
        }
        Ok(Expr { depth, kind: Box::new(kind) })
    }

    /// Goes one level down.
    pub(super) fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Failure::limit(&format!("more than {MAX_DEPTH} levels stand in each other")));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Statements up to a tag of one of these names, which is the current token afterwards.
    fn body(&mut self, until: &[&str]) -> Outcome<Body> {
        let mut body = Vec::new();
        loop {
            let line = self.line();
            match self.kind() {
                Kind::Data(text) => {
                    body.push(Stmt { line, kind: StmtKind::Data(text.clone()) });
                    self.advance();
                }
                Kind::VariableBegin => {
                    self.advance();
                    let expr = self.tuple(true, false)?;
                    if *self.kind() != Kind::VariableEnd {
                        return self.unexpected("the end of the tag");
                    }
                    self.advance();
                    body.push(Stmt { line, kind: StmtKind::Print(expr) });
                }
                Kind::BlockBegin => {
                    self.advance();
                    if until.iter().any(|name| self.is_name(name)) {
                        return Ok(body);
                    }
                    let kind = self.deeper(Self::statement)?;
                    body.push(Stmt { line, kind });
                    self.end_of_tag()?;
                }
                Kind::End if until.is_empty() => return Ok(body),
                _ => return self.unexpected(&format!("`{}`", until.join("` or `"))),
            }
        }
    }

    /// A body and the tag that ends it.
    fn body_to(&mut self, end: &str) -> Outcome<Body> {
        self.end_of_tag()?;
        let body = self.body(&[end])?;
        self.advance();
        Ok(body)
    }

    /// Parses what runs by itself, so that it cannot leave a loop around it.
    fn outside_of_loops<T>(&mut self, parse: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        let loops = std::mem::take(&mut self.loops);
        let parsed = parse(self);
        self.loops = loops;
        parsed
    }

    fn end_of_tag(&mut self) -> Outcome<()> {
        if *self.kind() != Kind::BlockEnd {
            return self.unexpected("the end of the tag");
        }
        self.advance();
        Ok(())
    }

    /// A statement up to the end of its last tag.
    fn statement(&mut self) -> Outcome<StmtKind> {
        let name = self.name()?;
        match &*name {
            "if" => self.condition(),
            "for" => self.each(),
            "set" => self.set(),
            "with" => self.with(),
            "macro" => {
                let name = self.name()?;
                self.macro_of(name, "endmacro").map(|definition| StmtKind::Macro(definition.into()))
            }
            "call" => {
                let params = if self.is_operator("(") { self.signature()? } else { Vec::new() };
                let call = self.expression(true)?;
                if !matches!(*call.kind, ExprKind::Call(..)) {
                    return self.fail("`call` is followed by a call");
                }
                let definition = self.macro_body("caller".into(), params, "endcall")?;
                Ok(StmtKind::Call(definition.into(), call))
            }
            "filter" => {
                let filters = self.filters_inline()?;
                Ok(StmtKind::Filter(filters, self.body_to("endfilter")?))
            }
            "generation" => {
                self.has_generation = true;
                let body = self.outside_of_loops(|parser| parser.body_to("endgeneration"))?;
                Ok(StmtKind::Generation(body))
            }
            "autoescape" => {
                self.expression(true)?;
                Ok(StmtKind::Scope(self.body_to("endautoescape")?))
            }
            "print" => Ok(StmtKind::Print(self.tuple(true, false)?)),
            "break" | "continue" if self.loops == 0 => self.fail(&format!("`{name}` is outside of a loop")),
            "break" => Ok(StmtKind::Break),
            "continue" => Ok(StmtKind::Continue),
            "include" | "import" | "from" | "extends" | "block" => {
                self.fail(&format!("`{name}` needs other templates, and a chat template has none"))
            }
            _ => self.fail(&format!("there is no tag `{name}`")),
        }
    }

    fn condition(&mut self) -> Outcome<StmtKind> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let test = self.tuple(false, false)?;
        self.end_of_tag()?;
        branches.push((test, self.body(&["elif", "else", "endif"])?));
        loop {
            if self.skip_name("elif") {
                let test = self.tuple(false, false)?;
                self.end_of_tag()?;
                branches.push((test, self.body(&["elif", "else", "endif"])?));
            } else if self.skip_name("else") {
                otherwise = self.body_to("endif")?;
                return Ok(StmtKind::If(branches, otherwise));
            } else {
                self.advance();
                return Ok(StmtKind::If(branches, otherwise));
            }
        }
    }

    fn each(&mut self) -> Outcome<StmtKind> {
        let target = self.target(false)?;
        if !self.skip_name("in") {
            return self.unexpected("`in`");
        }
        let iter = self.tuple(false, true)?;
        let test = if self.skip_name("if") { Some(self.expression(true)?) } else { None };
        let recursive = self.skip_name("recursive");
        self.end_of_tag()?;
        self.loops += 1;
        let body = self.body(&["endfor", "else"])?;
        self.loops -= 1;
        let otherwise = if self.skip_name("else") {
            self.body_to("endfor")?
        } else {
            self.advance();
            Vec::new()
        };
        Ok(StmtKind::For(Arc::new(For { target, iter, test, body, otherwise, recursive })))
    }

    fn set(&mut self) -> Outcome<StmtKind> {
        let target = self.target(true)?;
        if self.skip_operator("=") {
            return Ok(StmtKind::Set(target, self.tuple(true, false)?));
        }
        let is_new = matches!(&target, Target::Name(name) if !self.names.contains(name));
        let filters = self.filters()?;
        Ok(StmtKind::SetBlock { target, is_new, filters, body: self.body_to("endset")? })
    }

    fn with(&mut self) -> Outcome<StmtKind> {
        let mut assignments: Vec<(Target, Expr)> = Vec::new();
        while *self.kind() != Kind::BlockEnd {
            if !assignments.is_empty() {
                self.expect_operator(",")?;
            }
            let target = self.target(false)?;
            self.expect_operator("=")?;
            assignments.push((target, self.expression(true)?));
        }
        Ok(StmtKind::With(assignments, self.body_to("endwith")?))
    }

    fn macro_of(&mut self, name: Arc<str>, end: &str) -> Outcome<Macro> {
        let params = self.signature()?;
        self.macro_body(name, params, end)
    }

    fn macro_body(
        &mut self,
        name: Arc<str>,
        params: Vec<(Arc<str>, Option<Expr>)>,
        end: &str,
    ) -> Outcome<Macro> {
        let before = self.names.len();
        let body = self.outside_of_loops(|parser| parser.body_to(end))?;
        let used: HashSet<&str> = self.names[before..].iter().map(|name| &**name).collect();
        let uses = ["varargs", "kwargs", "caller"].map(|name| used.contains(name));
        Ok(Macro { name, params, body, uses })
    }

    fn signature(&mut self) -> Outcome<Vec<(Arc<str>, Option<Expr>)>> {
        self.expect_operator("(")?;
        let mut params: Vec<(Arc<str>, Option<Expr>)> = Vec::new();
        while !self.is_operator(")") {
            if !params.is_empty() {
                self.expect_operator(",")?;
            }
            let name = self.name()?;
            let default = if self.skip_operator("=") { Some(self.expression(true)?) } else { None };
            if default.is_none() && params.last().is_some_and(|(_, default)| default.is_some()) {
                return self.fail("a parameter without a default follows one with a default");
            }
            params.push((name, default));
        }
        self.advance();
        Ok(params)
    }

    fn target(&mut self, with_namespace: bool) -> Outcome<Target> {
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            let target = if self.skip_operator("(") {
                let inner = self.deeper(|parser| parser.target(false))?;
                self.expect_operator(")")?;
                inner
            } else {
                let name = self.name()?;
                if matches!(&*name, "true" | "false" | "none" | "True" | "False" | "None") {
                    return self.fail(&format!("nothing can be assigned to `{name}`"));
                }
                if with_namespace && self.skip_operator(".") {
                    self.names.push(name.clone());
                    Target::Attribute(name, self.name()?)
                } else {
                    Target::Name(name)
                }
            };
            targets.push(target);
            if !self.skip_operator(",") {
                break;
            }
            is_tuple = true;
            let ends = matches!(self.kind(), Kind::BlockEnd) || self.is_operator(")") || self.is_name("in");
            if ends || self.is_operator("=") {
                break;
            }
        }
        match (targets.pop(), is_tuple) {
            (Some(target), false) => Ok(target),
            (Some(target), true) => {
                targets.push(target);
                Ok(Target::Tuple(targets))
            }
            (None, _) => self.unexpected("a name"),
        }
    }

    /// Filters after a `|` each.
    fn filters(&mut self) -> Outcome<Vec<Filter>> {
        let mut filters = Vec::new();
        while self.skip_operator("|") {
            filters.push(self.filter()?);
        }
        Ok(filters)
    }

    fn filters_inline(&mut self) -> Outcome<Vec<Filter>> {
        let mut filters = vec![self.filter()?];
        filters.extend(self.filters()?);
        Ok(filters)
    }
}

//! Runs the statements of a template.
//!
//! Scopes lie in one list and name their parent by its place. A loop and a macro have a scope of their own, an `if`
//! has none. When a round of a loop made no macro, nobody can reach its scope any more and it goes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::ast::{Body, For, Macro, Stmt, StmtKind, Target};
use super::clock::Moment;
use super::error::{Failure, Outcome};
use super::show;
use super::value::{Budget, Closure, Dict, Items, LoopState, Marked, Value};

/// Statements, expressions and macros that run inside each other.
const MAX_DEPTH: usize = 400;

/// What one rendering may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) steps: u64,
    pub(super) output: usize,
}

/// Text that is being written, with what the model is to generate in it.
#[derive(Debug, Default)]
struct Page {
    text: String,
    spans: Vec<(usize, usize)>,
}

/// Where to go on after a statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

#[derive(Debug, Default)]
struct Scope {
    vars: Vec<(Arc<str>, Value)>,
    parent: Option<usize>,
}

/// A template that runs.
pub(super) struct Machine {
    pub(super) budget: Budget,
    pub(super) now: Option<Moment>,
    output: usize,
    scopes: Vec<Scope>,
    pages: Vec<Page>,
    namespaces: Vec<Rc<RefCell<Dict>>>,
    depth: usize,
    macros_made: usize,
    /// Bytes that generation blocks wrote.
    generated: usize,
}

impl Drop for Machine {
    /// A namespace can hold itself; emptied, it holds nothing.
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            namespace.borrow_mut().clear();
        }
    }
}

/// Runs `body` with these variables, and gives the text, what the model is to generate in it, and the steps it took.
pub(super) fn run(
    body: &Body,
    variables: Vec<(Arc<str>, Value)>,
    now: Option<Moment>,
    allowance: Allowance,
) -> Outcome<(Marked, u64)> {
    let mut machine = Machine {
        budget: Budget::new(allowance.steps),
        now,
        output: allowance.output,
        scopes: vec![Scope { vars: variables, parent: None }],
        pages: vec![Page::default()],
        namespaces: Vec::new(),
        depth: 0,
        macros_made: 0,
        generated: 0,
    };
    let top = machine.scope(0);
    machine.body(body, top)?;
    let generated = machine.generated;
    let page = machine.pages.pop().unwrap_or_default();
    let is_lost = page.spans.iter().map(|(start, end)| end - start).sum::<usize>() != generated;
    let steps = allowance.steps - machine.budget.left();
    Ok((Marked { text: page.text.into(), spans: page.spans, is_lost }, steps))
}

impl Machine {
    /// A new scope below `parent`.
    fn scope(&mut self, parent: usize) -> usize {
        self.scopes.push(Scope { vars: Vec::new(), parent: Some(parent) });
        self.scopes.len() - 1
    }

    /// Goes one level down.
    pub(super) fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.budget.steps(1)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            self.depth -= 1;
            return Err(Failure::limit(&format!("more than {MAX_DEPTH} levels run inside each other")));
        }
        let done = work(self);
        self.depth -= 1;
        done
    }

    pub(super) fn lookup(&self, name: &str, scope: usize) -> Option<Value> {
        let mut at = Some(scope);
        while let Some(scope) = at.and_then(|at| self.scopes.get(at)) {
            if let Some((_, value)) = scope.vars.iter().find(|(known, _)| **known == *name) {
                return Some(value.clone());
            }
            at = scope.parent;
        }
        None
    }

    /// Whether the template has given `name` a value; the first scope is that of the row.
    fn is_set(&self, name: &str, scope: usize) -> bool {
        let mut at = Some(scope);
        while let Some(place) = at.filter(|place| *place > 0) {
            if self.scopes[place].vars.iter().any(|(known, _)| **known == *name) {
                return true;
            }
            at = self.scopes[place].parent;
        }
        false
    }

    fn store(&mut self, name: &Arc<str>, value: Value, scope: usize) {
        let vars = &mut self.scopes[scope].vars;
        match vars.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => vars.push((name.clone(), value)),
        }
    }

    fn assign(&mut self, target: &Target, value: Value, scope: usize) -> Outcome<()> {
        match target {
            Target::Name(name) => self.store(name, value, scope),
            Target::Attribute(name, attribute) => match self.lookup(name, scope) {
                Some(Value::Namespace(members)) => {
                    members.borrow_mut().set(Value::Text(attribute.clone()), value)?;
                }
                _ => {
                    return Err(Failure::error(format!(
                        "`{name}` is no namespace, so nothing can be set in it"
                    )));
                }
            },
            Target::Tuple(targets) => {
                let items = value.iterate(&self.budget)?;
                if items.items.len() != targets.len() {
                    return Err(Failure::error(format!(
                        "{} values cannot be assigned to {} names",
                        items.items.len(),
                        targets.len()
                    )));
                }
                for (target, item) in targets.iter().zip(&items.items) {
                    self.assign(target, item.clone(), scope)?;
                }
            }
        }
        Ok(())
    }

    /// A new namespace, remembered so that it can be emptied.
    pub(super) fn namespace(&mut self, members: Dict) -> Value {
        let namespace = Rc::new(RefCell::new(members));
        self.namespaces.push(namespace.clone());
        Value::Namespace(namespace)
    }

    fn page(&mut self) -> Outcome<&mut Page> {
        self.pages.last_mut().ok_or_else(|| Failure::error("there is no page"))
    }

    fn print(&mut self, value: &Value) -> Outcome<()> {
        let text = show::to_str(value, &self.budget)?;
        let page = self.page()?;
        if let Value::Marked(marked) = value {
            let offset = page.text.len();
            page.spans.extend(marked.spans.iter().map(|(start, end)| (start + offset, end + offset)));
        }
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Outcome<()> {
        self.budget.bytes(text.len())?;
        let limit = self.output;
        let page = self.page()?;
        if page.text.len() + text.len() > limit {
            return Err(Failure::limit(&format!("the text is longer than {limit} bytes")));
        }
        page.text.push_str(text);
        Ok(())
    }

    /// Runs `work` and gives what it wrote as a value.
    pub(super) fn captured(&mut self, work: impl FnOnce(&mut Self) -> Outcome<()>) -> Outcome<Value> {
        self.pages.push(Page::default());
        let done = work(self);
        let page = self.pages.pop().unwrap_or_default();
        done?;
        if page.spans.is_empty() {
            return Ok(Value::text(page.text));
        }
        Ok(Value::Marked(Rc::new(Marked { text: page.text.into(), spans: page.spans, is_lost: false })))
    }

    fn body(&mut self, body: &Body, scope: usize) -> Outcome<Flow> {
        for statement in body {
            let flow = self
                .deeper(|machine| machine.statement(statement, scope))
                .map_err(|failure| failure.at(statement.line))?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// A body in a scope of its own.
    fn inner(&mut self, body: &Body, scope: usize) -> Outcome<Flow> {
        let (inner, made) = (self.scope(scope), self.macros_made);
        let flow = self.body(body, inner);
        self.forget(inner, made);
        flow
    }

    /// Drops the scopes from `first` on, unless a macro was made since.
    fn forget(&mut self, first: usize, macros_made: usize) {
        if self.macros_made == macros_made {
            self.scopes.truncate(first);
        }
    }

    fn statement(&mut self, statement: &Stmt, scope: usize) -> Outcome<Flow> {
        match &statement.kind {
            StmtKind::Data(text) => self.write(text)?,
            StmtKind::Print(expr) => {
                let value = self.expr(expr, scope)?;
                self.print(&value)?;
            }
            StmtKind::If(branches, otherwise) => {
                for (test, body) in branches {
                    if self.expr(test, scope)?.is_true() {
                        return self.body(body, scope);
                    }
                }
                return self.body(otherwise, scope);
            }
            StmtKind::For(definition) => {
                let iter = self.expr(&definition.iter, scope)?;
                return self.each(definition, &iter, scope, 0);
            }
            StmtKind::Set(target, expr) => {
                let value = self.expr(expr, scope)?;
                self.assign(target, value, scope)?;
            }
            StmtKind::SetBlock { target, is_new, filters, body } => {
                let inner = self.scope(scope);
                if let (Target::Name(name), true) = (target, *is_new)
                    && !self.is_set(name, scope)
                {
                    self.store(name, Value::Undefined(name.clone()), inner);
                }
                let mut value = self.captured(|machine| machine.body(body, inner).map(drop))?;
                for filter in filters {
                    value = self.filter(filter, &value, scope)?;
                }
                self.assign(target, value, scope)?;
            }
            StmtKind::With(assignments, body) => {
                let inner = self.scope(scope);
                for (target, expr) in assignments {
                    let value = self.expr(expr, scope)?;
                    self.assign(target, value, inner)?;
                }
                return self.body(body, inner);
            }
            StmtKind::Filter(filters, body) => {
                let mut value = self.captured(|machine| machine.inner(body, scope).map(drop))?;
                for filter in filters {
                    value = self.filter(filter, &value, scope)?;
                }
                self.print(&value)?;
            }
            StmtKind::Macro(definition) => {
                let closure = self.closure(definition, scope);
                self.store(&definition.name, closure, scope);
            }
            StmtKind::Call(definition, call) => {
                let caller = self.closure(definition, scope);
                let value = self.call_with(call, Some(caller), scope)?;
                self.print(&value)?;
            }
            StmtKind::Generation(body) => self.generation(body, scope)?,
            StmtKind::Scope(body) => return self.inner(body, scope),
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn closure(&mut self, definition: &Arc<Macro>, scope: usize) -> Value {
        self.macros_made += 1;
        Value::Macro(Rc::new(Closure { definition: definition.clone(), scope }))
    }

    fn generation(&mut self, body: &Body, scope: usize) -> Outcome<()> {
        let (start, spans) = {
            let page = self.page()?;
            (page.text.len(), page.spans.len())
        };
        let before = self.generated;
        self.inner(body, scope)?;
        let page = self.page()?;
        let end = page.text.len();
        // A block inside of another says nothing more.
        page.spans.truncate(spans);
        if end > start {
            page.spans.push((start, end));
        }
        self.generated = before + (end - start);
        Ok(())
    }

    /// Runs a loop. As in jinja2, `else` runs unless a round came to its end.
    fn each(&mut self, definition: &Arc<For>, iter: &Value, scope: usize, depth: usize) -> Outcome<Flow> {
        let mut items = iter.iterate(&self.budget)?;
        if let Some(test) = &definition.test {
            let mut kept = Vec::new();
            for item in &items.items {
                let (inner, made) = (self.scope(scope), self.macros_made);
                self.assign(&definition.target, item.clone(), inner)?;
                if self.expr(test, inner)?.is_true() {
                    kept.push(item.clone());
                }
                self.forget(inner, made);
            }
            items = Items::new(kept)?;
        }
        let state = Rc::new(LoopState {
            definition: definition.clone(),
            scope,
            items: items.clone(),
            index: Cell::new(0),
            depth,
            last_changed: RefCell::new(None),
        });
        let name: Arc<str> = "loop".into();
        let mut has_ended = false;
        for (index, item) in items.items.iter().enumerate() {
            self.budget.steps(1)?;
            state.index.set(index);
            let (inner, made) = (self.scope(scope), self.macros_made);
            self.store(&name, Value::Loop(state.clone()), inner);
            self.assign(&definition.target, item.clone(), inner)?;
            let flow = self.body(&definition.body, inner)?;
            self.forget(inner, made);
            has_ended |= flow == Flow::Next;
            if flow == Flow::Break {
                break;
            }
        }
        if has_ended { Ok(Flow::Next) } else { self.inner(&definition.otherwise, scope) }
    }

    /// Runs the body of a macro whose parameters are these.
    pub(super) fn run_macro(&mut self, closure: &Closure, params: Vec<(Arc<str>, Value)>) -> Outcome<Value> {
        let scope = self.scope(closure.scope);
        for (name, value) in params {
            self.store(&name, value, scope);
        }
        for (name, default) in &closure.definition.params {
            if self.scopes[scope].vars.iter().any(|(known, _)| known == name) {
                continue;
            }
            let value = match default {
                Some(default) => self.expr(default, scope)?,
                None => Value::Undefined(name.clone()),
            };
            self.store(name, value, scope);
        }
        let body = &closure.definition.body;
        self.deeper(|machine| machine.captured(|machine| machine.body(body, scope).map(drop)))
    }

    /// Recursion of a loop, as `loop(items)`.
    pub(super) fn recurse(&mut self, state: &LoopState, iter: &Value) -> Outcome<Value> {
        if !state.definition.recursive {
            return Err(Failure::error("`loop` is called, but the loop is not `recursive`"));
        }
        let (definition, scope, depth) = (state.definition.clone(), state.scope, state.depth + 1);
        self.deeper(|machine| {
            machine.captured(|machine| machine.each(&definition, iter, scope, depth).map(drop))
        })
    }
}

//! Runs the expressions of a template.

use std::rc::Rc;
use std::sync::Arc;

use super::ast::{Arg, Args, Expr, ExprKind, Filter};
use super::error::{Failure, Outcome};
use super::eval::Machine;
use super::value::{Dict, Value};
use super::{attributes, checks, filters, functions, ops, show};

/// Arguments of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) list: Vec<Value>,
    pub(super) named: Vec<(Arc<str>, Value)>,
}

impl Given {
    /// The argument at `index`, or of this name.
    pub(super) fn get(&self, index: usize, name: &str) -> Option<&Value> {
        self.list
            .get(index)
            .or_else(|| self.named.iter().find(|(known, _)| **known == *name).map(|(_, value)| value))
    }

    /// Refuses more arguments than these names.
    pub(super) fn only(&self, names: &[&str]) -> Outcome<()> {
        if self.list.len() > names.len() {
            return Err(Failure::error(format!("at most {} arguments are taken", names.len())));
        }
        for (at, (name, _)) in self.named.iter().enumerate() {
            let place = names.iter().position(|known| **known == **name);
            if place.is_none_or(|place| place < self.list.len())
                || self.named[..at].iter().any(|(n, _)| n == name)
            {
                return Err(Failure::error(format!("an argument `{name}` is not taken, or is given twice")));
            }
        }
        Ok(())
    }
}

impl Machine {
    pub(super) fn expr(&mut self, expr: &Expr, scope: usize) -> Outcome<Value> {
        self.deeper(|machine| machine.any(expr, scope))
    }

    fn all(&mut self, items: &[Expr], scope: usize) -> Outcome<Vec<Value>> {
        items.iter().map(|item| self.expr(item, scope)).collect()
    }

    fn any(&mut self, expr: &Expr, scope: usize) -> Outcome<Value> {
        Ok(match &*expr.kind {
            ExprKind::None => Value::None,
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::Int(value) => Value::Int(*value),
            ExprKind::Float(value) => Value::Float(*value),
            ExprKind::Text(text) => Value::Text(text.clone()),
            ExprKind::Name(name) => match self.lookup(name, scope) {
                Some(value) => value,
                None => functions::named(name).unwrap_or_else(|| Value::Undefined(name.clone())),
            },
            ExprKind::List(items) => Value::list(self.all(items, scope)?)?,
            ExprKind::Tuple(items) => Value::tuple(self.all(items, scope)?)?,
            ExprKind::Dict(items) => {
                let mut dict = Dict::default();
                for (key, value) in items {
                    dict.set(self.expr(key, scope)?, self.expr(value, scope)?)?;
                }
                dict.into_value()?
            }
            ExprKind::Not(inner) => Value::Bool(!self.expr(inner, scope)?.is_true()),
            ExprKind::Negative(inner) => ops::negative(&self.expr(inner, scope)?)?,
            ExprKind::Positive(inner) => ops::negative(&ops::negative(&self.expr(inner, scope)?)?)?,
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.expr(a, scope)?, self.expr(b, scope)?);
                ops::binary(*op, &a, &b, &self.budget)?
            }
            ExprKind::Concat(items) => self.concat(items, scope)?,
            ExprKind::And(a, b) => {
                let a = self.expr(a, scope)?;
                if a.is_true() { self.expr(b, scope)? } else { a }
            }
            ExprKind::Or(a, b) => {
                let a = self.expr(a, scope)?;
                if a.is_true() { a } else { self.expr(b, scope)? }
            }
            ExprKind::Compare(first, more) => {
                let mut left = self.expr(first, scope)?;
                for (op, right) in more {
                    let right = self.expr(right, scope)?;
                    if !ops::compare(*op, &left, &right, &self.budget)? {
                        return Ok(Value::Bool(false));
                    }
                    left = right;
                }
                Value::Bool(true)
            }
            ExprKind::If { test, yes, no } => {
                if self.expr(test, scope)?.is_true() {
                    self.expr(yes, scope)?
                } else {
                    match no {
                        Some(no) => self.expr(no, scope)?,
                        None => Value::undefined("the value of an `if` without `else`"),
                    }
                }
            }
            ExprKind::Attribute(object, name) => {
                let object = self.expr(object, scope)?;
                attributes::attribute(&object, name)?
            }
            ExprKind::Item(object, key) => {
                let (object, key) = (self.expr(object, scope)?, self.expr(key, scope)?);
                attributes::item(&object, &key, &self.budget)?
            }
            ExprKind::Slice(object, bounds) => {
                let object = self.expr(object, scope)?;
                let mut values = [None, None, None];
                for (value, bound) in values.iter_mut().zip(bounds) {
                    *value = bound.as_ref().map(|bound| self.expr(bound, scope)).transpose()?;
                }
                ops::slice(&object, &values, &self.budget)?
            }
            ExprKind::Call(..) => self.call_with(expr, None, scope)?,
            ExprKind::Filter(value, filter) => {
                let value = self.expr(value, scope)?;
                self.filter(filter, &value, scope)?
            }
            ExprKind::Test { negated, value, name, args } => {
                let value = self.expr(value, scope)?;
                let given = self.args(args, scope)?;
                let holds = checks::check(name, &value, &given, &self.budget)?;
                Value::Bool(holds != *negated)
            }
        })
    }

    fn concat(&mut self, items: &[Expr], scope: usize) -> Outcome<Value> {
        let mut text = String::new();
        for item in items {
            let value = self.expr(item, scope)?;
            show::write_str(&mut text, &value, &self.budget)?;
        }
        Ok(Value::text(text))
    }

    pub(super) fn args(&mut self, args: &Args, scope: usize) -> Outcome<Given> {
        let mut given = Given::default();
        for arg in &args.list {
            match arg {
                Arg::Plain(expr) => given.list.push(self.expr(expr, scope)?),
                Arg::Named(name, expr) => given.named.push((name.clone(), self.expr(expr, scope)?)),
                Arg::Spread(expr) => {
                    let items = self.expr(expr, scope)?.iterate(&self.budget)?;
                    given.list.extend(items.items.iter().cloned());
                }
                Arg::SpreadNamed(expr) => match self.expr(expr, scope)? {
                    Value::Dict(dict) => {
                        self.budget.steps(dict.entries.len() as u64)?;
                        for (key, value) in &dict.entries {
                            let Some(name) = key.as_text() else {
                                return Err(Failure::error("the name of an argument is a str"));
                            };
                            given.named.push((name.into(), value.clone()));
                        }
                    }
                    other => {
                        return Err(Failure::error(format!(
                            "a {} holds no named arguments",
                            other.type_name()
                        )));
                    }
                },
            }
        }
        Ok(given)
    }

    pub(super) fn filter(&mut self, filter: &Filter, value: &Value, scope: usize) -> Outcome<Value> {
        let given = self.args(&filter.args, scope)?;
        filters::apply(self, &filter.name, value, &given)
    }

    /// Runs a call; `caller` is the body of a `call` block.
    pub(super) fn call_with(&mut self, call: &Expr, caller: Option<Value>, scope: usize) -> Outcome<Value> {
        let ExprKind::Call(callee, args) = &*call.kind else {
            return Err(Failure::error("`call` is followed by a call"));
        };
        let callee = self.expr(callee, scope)?;
        let mut given = self.args(args, scope)?;
        if let Some(caller) = caller {
            given.named.push(("caller".into(), caller));
        }
        self.call(&callee, given)
    }

    /// Calls a value.
    pub(super) fn call(&mut self, callee: &Value, given: Given) -> Outcome<Value> {
        match callee {
            Value::Macro(closure) => {
                let closure = Rc::clone(closure);
                self.call_macro(&closure, given)
            }
            Value::Function(name) => functions::call(self, name, &given),
            Value::Method(method) => super::methods::call(&method.0, &method.1, &given, &self.budget),
            Value::Loop(state) => {
                let Some(iter) = given.get(0, "iterable") else {
                    return Err(Failure::error("`loop` is called without the items to go on with"));
                };
                let state = Rc::clone(state);
                self.recurse(&state, iter)
            }
            Value::Undefined(name) => {
                Err(Failure::error(format!("`{name}` is undefined, so it cannot be called")))
            }
            other => Err(Failure::error(format!("a {} cannot be called", other.type_name()))),
        }
    }

    fn call_macro(&mut self, closure: &super::value::Closure, given: Given) -> Outcome<Value> {
        let definition = &closure.definition;
        let [varargs, kwargs, caller] = definition.uses;
        let mut params: Vec<(Arc<str>, Value)> = Vec::new();
        let mut list = given.list.into_iter();
        for (name, _) in &definition.params {
            match list.next() {
                Some(value) => params.push((name.clone(), value)),
                None => break,
            }
        }
        let rest: Vec<Value> = list.collect();
        let mut more = Dict::default();
        let mut called = None;
        for (name, value) in given.named {
            let is_param = definition.params.iter().any(|(known, _)| *known == name);
            if is_param && params.iter().any(|(known, _)| *known == name) {
                return Err(Failure::error(format!(
                    "`{name}` of macro `{}` is given twice",
                    definition.name
                )));
            } else if is_param {
                params.push((name, value));
            } else if *name == *"caller" && caller {
                called = Some(value);
            } else {
                more.set(Value::Text(name), value)?;
            }
        }
        if (!rest.is_empty() && !varargs) || (!more.entries.is_empty() && !kwargs) {
            return Err(Failure::error(format!(
                "macro `{}` does not take all these arguments",
                definition.name
            )));
        }
        if varargs {
            params.push(("varargs".into(), Value::tuple(rest)?));
        }
        if kwargs {
            params.push(("kwargs".into(), more.into_value()?));
        }
        if caller && !definition.params.iter().any(|(name, _)| **name == *"caller") {
            params.push(("caller".into(), called.unwrap_or_else(|| Value::undefined("caller"))));
        }
        self.run_macro(closure, params)
    }
}

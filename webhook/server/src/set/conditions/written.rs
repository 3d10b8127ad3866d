//! Conditions as they are written: what is no condition is told before it is in force.

use std::sync::LazyLock;

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr};
use cel::parser::Expression;
use serde_json::Value;

use super::{LANGUAGE, request, within};
use crate::set::sample;

/// Bytes of an expression: whatever it says, taking it apart stays within a thread's stack.
pub(super) const LONGEST: usize = 1024;
/// What taking a longest expression apart may need, and more.
const STACK: usize = 64 << 20;
/// What an expression may be about.
const VARIABLES: [&str; 3] = ["object", "oldObject", "request"];
/// What a request has, in the shape of one.
static REQUEST: LazyLock<Value> = LazyLock::new(|| sample::REVIEWS.first().map(request).unwrap_or_default());
/// What an expression may call, beside operators and the macros `has`, `all`, `exists`, `exists_one`, `map`, `filter`,
/// `optMap` and `optFlatMap`.
const FUNCTIONS: [&str; 26] = [
    "bool",
    "charAt",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "hasValue",
    "indexOf",
    "int",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "matches",
    "optional.none",
    "optional.of",
    "or",
    "orValue",
    "replace",
    "size",
    "split",
    "startsWith",
    "string",
    "substring",
    "trim",
    "upperAscii",
    "value",
];

/// As the API server has names of conditions: a backstop's are made of these.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    name.len() <= 59
        && is_plain(name.chars().next())
        && is_plain(name.chars().next_back())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}

pub(super) fn compile(expression: &str) -> Result<Program, String> {
    if expression.len() > LONGEST {
        return Err(format!("it has {} bytes, and {LONGEST} are the most", expression.len()));
    }
    let compile = || within(|| LANGUAGE.compile(expression));
    let compiled = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, compile);
        thread.map_err(|error| error.to_string())?.join().unwrap_or_else(|_| Err("it can't be read".to_owned()))
    });
    let program = compiled?.map_err(|error| format!("it is no CEL: {error}"))?;
    Look::default().at(program.expression(), 0)?;
    Ok(program)
}

/// A look at an expression: what is named in it has to be there, and no loop stands in a loop.
#[derive(Default)]
struct Look<'e> {
    /// What loops around the place call their elements.
    bound: Vec<&'e str>,
}

impl<'e> Look<'e> {
    /// Looks at a part that stands in so many loops.
    fn at(&mut self, expression: &'e Expression, loops: usize) -> Result<(), String> {
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) if self.bound.contains(&name.as_str()) || VARIABLES.contains(&name.as_str()) => Ok(()),
            Expr::Ident(name) => Err(format!("{name:?} is not known; there are {}", VARIABLES.join(", "))),
            Expr::Call(call) => {
                let target = call.target.as_deref();
                let space = target.filter(|target| matches!(&target.expr, Expr::Ident(name) if name == SPACE));
                self.all(target.filter(|_| space.is_none()).into_iter().chain(&call.args), loops)?;
                is_function(&match space {
                    Some(_) => format!("{SPACE}.{}", call.func_name),
                    None => call.func_name.clone(),
                })
            }
            Expr::Select(select) => {
                self.of_request(expression).map_or(Ok(()), |fields| is_field(&fields))?;
                self.at(&select.operand, loops)
            }
            Expr::List(list) => self.all(&list.elements, loops),
            Expr::Map(map) => self.all(map.entries.iter().flat_map(parts), loops),
            Expr::Struct(made) => self.all(made.entries.iter().flat_map(parts), loops),
            Expr::Comprehension(_) if loops > 0 => {
                Err("a loop (all, exists, exists_one, map, filter) stands in a loop: write them side by side"
                    .to_owned())
            }
            Expr::Comprehension(over) => {
                self.all([&over.iter_range, &over.accu_init], loops)?;
                let outside = self.bound.len();
                self.bound.extend([over.iter_var.as_str(), over.accu_var.as_str()]);
                self.bound.extend(over.iter_var2.as_deref());
                self.all([&over.loop_cond, &over.loop_step, &over.result], loops + 1)?;
                self.bound.truncate(outside);
                Ok(())
            }
        }
    }

    /// The fields that lead from `request` to this part, if it is one of it.
    fn of_request(&self, mut expression: &'e Expression) -> Option<Vec<&'e str>> {
        let mut fields = Vec::new();
        while let Expr::Select(select) = &expression.expr {
            fields.push(select.field.as_str());
            expression = &select.operand;
        }
        fields.reverse();
        let is_request = |name: &str| name == "request" && !self.bound.contains(&name);
        matches!(&expression.expr, Expr::Ident(name) if is_request(name)).then_some(fields)
    }

    fn all(&mut self, parts: impl IntoIterator<Item = &'e Expression>, loops: usize) -> Result<(), String> {
        parts.into_iter().try_for_each(|part| self.at(part, loops))
    }
}

/// Whether a request has what these fields lead to.
fn is_field(fields: &[&str]) -> Result<(), String> {
    let (mut at, mut part) = ("request".to_owned(), &*REQUEST);
    for field in fields {
        part = part.get(field).ok_or_else(|| format!("{at} has no {field:?}{}", there_are(part)))?;
        at = format!("{at}.{field}");
    }
    Ok(())
}

fn there_are(part: &Value) -> String {
    let names: Vec<&str> = part.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("; there are {}", names.join(", ")) }
}

/// The one space of names that functions are in.
const SPACE: &str = "optional";

/// Operators have names that no word is.
fn is_function(name: &str) -> Result<(), String> {
    if !name.starts_with(char::is_alphabetic) || FUNCTIONS.contains(&name) {
        return Ok(());
    }
    Err(format!("there is no function {name:?}; there are {}", FUNCTIONS.join(", ")))
}

fn parts(entry: &IdedEntryExpr) -> Vec<&Expression> {
    match &entry.expr {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

//! Tokens to bytecode, in one pass: a recursive descent that emits as it goes.
//!
//! Locals are slots of the machine's stack. A variable of a function around is an *upvalue*: where a closure is made, the
//! machine looks up which variables it captures. None of this knows the heap.

use super::code::{Capture, Function, Op, Program};
use super::lexer::{Token, tokens};

struct Local {
    name: String,
    depth: u32,
    is_captured: bool,
}

/// A function that is being compiled. Its first two locals are itself and `this`.
struct Scope {
    function: Function,
    locals: Vec<Local>,
    depth: u32,
}

impl Scope {
    fn new(name: &str) -> Scope {
        let local = |name: &str| Local { name: name.into(), depth: 0, is_captured: false };
        let function = Function { name: name.into(), ..Function::default() };
        Scope { function, locals: vec![local(""), local("this")], depth: 0 }
    }

    fn find(&self, name: &str) -> Option<u32> {
        self.locals.iter().rposition(|local| local.name == name).map(|at| at as u32)
    }

    fn capture(&mut self, capture: Capture) -> u32 {
        let captures = &mut self.function.captures;
        captures.iter().position(|&known| known == capture).unwrap_or_else(|| {
            captures.push(capture);
            captures.len() - 1
        }) as u32
    }
}

/// Compiles a text to a function without parameters, and gives its number.
///
/// # Errors
///
/// With the line, if the text is no program.
pub fn compile(program: &mut Program, text: &str) -> Result<usize, String> {
    let mut compiler =
        Compiler { tokens: tokens(text)?, at: 0, program, scopes: vec![Scope::new("the program")], nesting: 0 };
    while *compiler.peek() != Token::End {
        compiler.statement()?;
    }
    Ok(compiler.finish())
}

/// How deep statements and expressions may be nested: the compiler recurses.
const MAX_NESTING: u32 = 200;

struct Compiler<'p> {
    tokens: Vec<(Token, u32)>,
    at: usize,
    program: &'p mut Program,
    scopes: Vec<Scope>,
    nesting: u32,
}

type Compiled<T = ()> = Result<T, String>;

impl Compiler<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn next(&mut self) -> Token {
        let token = self.tokens[self.at].0.clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn takes(&mut self, mark: &'static str) -> bool {
        let is_it = match self.peek() {
            Token::Mark(found) => *found == mark,
            Token::Word(found) => found == mark,
            _ => false,
        };
        self.at += usize::from(is_it);
        is_it
    }

    fn expect(&mut self, mark: &'static str) -> Compiled {
        if self.takes(mark) { Ok(()) } else { self.error(&format!("`{mark}` should be")) }
    }

    fn word(&mut self) -> Compiled<String> {
        match self.next() {
            Token::Word(word) => Ok(word),
            _ => {
                self.at -= 1;
                self.error("a name should be")
            }
        }
    }

    fn error<T>(&self, what: &str) -> Compiled<T> {
        let (token, line) = &self.tokens[self.at];
        Err(format!("line {line}: {what} where {token:?} is"))
    }

    fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("there is always one")
    }

    fn emit(&mut self, op: Op) -> usize {
        let ops = &mut self.scope().function.ops;
        ops.push(op);
        ops.len() - 1
    }

    fn here(&mut self) -> u32 {
        self.scope().function.ops.len() as u32
    }

    /// Lets the jump at `at` lead to what is emitted next.
    fn land(&mut self, at: usize) {
        let here = self.here();
        match &mut self.scope().function.ops[at] {
            Op::Jump(to) | Op::JumpIfFalse(to) | Op::AndJump(to) | Op::OrJump(to) | Op::Try(to) => *to = here,
            op => unreachable!("{op:?} is no jump"),
        }
    }

    fn declare(&mut self, name: String) {
        let scope = self.scope();
        scope.locals.push(Local { name, depth: scope.depth, is_captured: false });
    }

    fn finish(&mut self) -> usize {
        self.emit(Op::Nil);
        self.emit(Op::Return);
        let scope = self.scopes.pop().expect("there is one");
        self.program.functions.push(scope.function);
        self.program.functions.len() - 1
    }

    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Compiled<T>) -> Compiled<T> {
        if self.nesting == MAX_NESTING {
            return self.error("nesting that is less deep should be");
        }
        self.nesting += 1;
        let result = part(self);
        self.nesting -= 1;
        result
    }

    fn block(&mut self) -> Compiled {
        self.expect("{")?;
        self.scope().depth += 1;
        while !self.takes("}") {
            self.statement()?;
        }
        self.scope().depth -= 1;
        let depth = self.scope().depth;
        while let Some(local) = self.scope().locals.pop_if(|local| local.depth > depth) {
            self.emit(if local.is_captured { Op::CloseUpvalue } else { Op::Pop });
        }
        Ok(())
    }

    fn statement(&mut self) -> Compiled {
        self.nested(Self::statement_inside)
    }

    fn statement_inside(&mut self) -> Compiled {
        if self.takes("let") {
            let name = self.word()?;
            self.expect("=")?;
            self.expression()?;
            self.expect(";")?;
            self.define(name);
        } else if self.takes("fn") {
            let name = self.word()?;
            if self.scopes.len() == 1 && self.scope().depth == 0 {
                self.function(&name)?;
                self.define(name);
            } else {
                // Declared first, so that it can call itself.
                self.emit(Op::Nil);
                self.declare(name.clone());
                self.function(&name)?;
                let slot = self.scope().locals.len() as u32 - 1;
                self.emit(Op::SetLocal(slot));
                self.emit(Op::Pop);
            }
        } else if self.takes("if") {
            self.if_statement()?;
        } else if self.takes("while") {
            let start = self.here();
            self.expression()?;
            let exit = self.emit(Op::JumpIfFalse(0));
            self.block()?;
            self.emit(Op::Loop(start));
            self.land(exit);
        } else if self.takes("return") {
            if self.takes(";") {
                self.emit(Op::Nil);
            } else {
                self.expression()?;
                self.expect(";")?;
            }
            self.emit(Op::Return);
        } else if self.takes("throw") {
            self.expression()?;
            self.expect(";")?;
            self.emit(Op::Throw);
        } else if self.takes("try") {
            let attempt = self.emit(Op::Try(0));
            self.block()?;
            self.emit(Op::EndTry);
            let done = self.emit(Op::Jump(0));
            self.expect("catch")?;
            self.land(attempt);
            // The machine has pushed what was thrown, which is the first local of a scope around the block.
            let name = self.word()?;
            self.scope().depth += 1;
            self.declare(name);
            self.block()?;
            self.scope().depth -= 1;
            let local = self.scope().locals.pop().expect("declared above");
            self.emit(if local.is_captured { Op::CloseUpvalue } else { Op::Pop });
            self.land(done);
        } else {
            self.expression()?;
            self.expect(";")?;
            self.emit(Op::Pop);
        }
        Ok(())
    }

    fn if_statement(&mut self) -> Compiled {
        self.expression()?;
        let skip = self.emit(Op::JumpIfFalse(0));
        self.block()?;
        let done = self.emit(Op::Jump(0));
        self.land(skip);
        if self.takes("else") {
            if self.takes("if") { self.nested(Self::if_statement)? } else { self.block()? }
        }
        self.land(done);
        Ok(())
    }

    /// Gives the value on top of the stack a name.
    fn define(&mut self, name: String) {
        if self.scopes.len() == 1 && self.scope().depth == 0 {
            let number = self.program.globals.number(&name);
            self.emit(Op::SetGlobal(number));
            self.emit(Op::Pop);
        } else {
            self.declare(name);
        }
    }

    fn function(&mut self, name: &str) -> Compiled {
        self.expect("(")?;
        self.scopes.push(Scope::new(name));
        self.scope().depth = 1;
        while !self.takes(")") {
            let parameter = self.word()?;
            self.declare(parameter);
            self.scope().function.parameters += 1;
            if !self.takes(",") {
                self.expect(")")?;
                break;
            }
        }
        self.block()?;
        let number = self.finish();
        self.emit(Op::Closure(number as u32));
        Ok(())
    }

    fn expression(&mut self) -> Compiled {
        self.nested(|compiler| compiler.binary(0))
    }

    /// An expression of operators that bind at least so tightly.
    fn binary(&mut self, least: u8) -> Compiled {
        self.unary()?;
        loop {
            let Token::Mark(mark) = *self.peek() else { return Ok(()) };
            let (strength, ops): (u8, &[Op]) = match mark {
                "||" => (1, &[]),
                "&&" => (2, &[]),
                "==" => (3, &[Op::Equal]),
                "!=" => (3, &[Op::Equal, Op::Not]),
                "<" => (4, &[Op::Less]),
                "<=" => (4, &[Op::LessEqual]),
                ">" => (4, &[Op::LessEqual, Op::Not]),
                ">=" => (4, &[Op::Less, Op::Not]),
                "+" => (5, &[Op::Add]),
                "-" => (5, &[Op::Subtract]),
                "*" => (6, &[Op::Multiply]),
                "/" => (6, &[Op::Divide]),
                "%" => (6, &[Op::Remainder]),
                _ => return Ok(()),
            };
            if strength < least {
                return Ok(());
            }
            self.next();
            let jump = match mark {
                "||" => Some(self.emit(Op::OrJump(0))),
                "&&" => Some(self.emit(Op::AndJump(0))),
                _ => None,
            };
            self.nested(|compiler| compiler.binary(strength + 1))?;
            for &op in ops {
                self.emit(op);
            }
            if let Some(jump) = jump {
                self.land(jump);
            }
        }
    }

    fn unary(&mut self) -> Compiled {
        let op = if self.takes("-") {
            Op::Negate
        } else if self.takes("!") {
            Op::Not
        } else {
            return self.postfix();
        };
        self.nested(Self::unary)?;
        self.emit(op);
        Ok(())
    }

    fn postfix(&mut self) -> Compiled {
        self.primary()?;
        loop {
            if self.takes("(") {
                self.emit(Op::Nil); // no `this`
                self.arguments()?;
            } else if self.takes(".") {
                let name = self.word()?;
                let field = self.program.fields.number(&name);
                if self.takes("(") {
                    self.emit(Op::GetMethod(field));
                    self.arguments()?;
                } else if self.takes("=") {
                    self.expression()?;
                    self.emit(Op::SetField(field));
                } else {
                    self.emit(Op::GetField(field));
                }
            } else if self.takes("[") {
                self.expression()?;
                self.expect("]")?;
                if self.takes("=") {
                    self.expression()?;
                    self.emit(Op::SetIndex);
                } else {
                    self.emit(Op::GetIndex);
                }
            } else {
                return Ok(());
            }
        }
    }

    fn list(&mut self, end: &'static str) -> Compiled<u32> {
        let mut count = 0;
        while !self.takes(end) {
            self.expression()?;
            count += 1;
            if !self.takes(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(count)
    }

    fn arguments(&mut self) -> Compiled {
        let count = self.list(")")?;
        self.emit(Op::Call(count));
        Ok(())
    }

    fn primary(&mut self) -> Compiled {
        match self.next() {
            Token::Number(number) => drop(self.emit(Op::Number(number))),
            Token::Text(text) => {
                self.program.texts.push(text);
                let number = self.program.texts.len() as u32 - 1;
                self.emit(Op::Constant(number));
            }
            Token::Mark("(") => {
                self.expression()?;
                self.expect(")")?;
            }
            Token::Mark("[") => {
                let count = self.list("]")?;
                self.emit(Op::Array(count));
            }
            Token::Mark("{") => {
                self.emit(Op::Object);
                while !self.takes("}") {
                    let name = self.word()?;
                    self.expect(":")?;
                    let field = self.program.fields.number(&name);
                    self.expression()?;
                    self.emit(Op::InitField(field));
                    if !self.takes(",") {
                        self.expect("}")?;
                        break;
                    }
                }
            }
            Token::Word(word) => match word.as_str() {
                "nil" => drop(self.emit(Op::Nil)),
                "true" => drop(self.emit(Op::True)),
                "false" => drop(self.emit(Op::False)),
                "fn" => self.function("a function")?,
                _ => self.variable(&word)?,
            },
            _ => {
                self.at -= 1;
                return self.error("an expression should be");
            }
        }
        Ok(())
    }

    fn variable(&mut self, name: &str) -> Compiled {
        let (get, set) = match self.place(self.scopes.len() - 1, name) {
            Some(Capture::Local(slot)) => (Op::GetLocal(slot), Op::SetLocal(slot)),
            Some(Capture::Upvalue(number)) => (Op::GetUpvalue(number), Op::SetUpvalue(number)),
            None => {
                let number = self.program.globals.number(name);
                (Op::GetGlobal(number), Op::SetGlobal(number))
            }
        };
        if self.takes("=") {
            self.expression()?;
            self.emit(set);
        } else {
            self.emit(get);
        }
        Ok(())
    }

    /// Where a variable is, seen from a function; captured on the way if it belongs to one further out.
    fn place(&mut self, function: usize, name: &str) -> Option<Capture> {
        if let Some(slot) = self.scopes[function].find(name) {
            return Some(Capture::Local(slot));
        }
        let capture = self.place(function.checked_sub(1)?, name)?;
        if let Capture::Local(slot) = capture {
            self.scopes[function - 1].locals[slot as usize].is_captured = true;
        }
        Some(Capture::Upvalue(self.scopes[function].capture(capture)))
    }
}

//! A bytecode machine for a small language with closures and prototypes, in the manner of Lua and JavaScript.
//!
//! ```text
//! let point = { x: 0, y: 0, move: fn(dx) { this.x = this.x + dx; return this; } };
//! let here = extend(point);               // `point` is its prototype
//! here.move(3);
//! try { nothing(); } catch error { print(error); }
//! ```
//!
//! | file | what is there | knows the heap |
//! |---|---|---|
//! | `lexer` | text to tokens | no |
//! | `compiler` | tokens to bytecode | no |
//! | `code` | bytecode | no |
//! | `value` | values and objects | yes |
//! | `stack` | the stack, and what of it is alive | yes |
//! | `fault` | what can go wrong | yes |
//! | `natives` | the host's functions | yes |
//! | `properties` | properties and items | yes |
//! | `calls` | calls, closures and their variables | yes |
//! | `run` | the loop that runs bytecode | yes |
//! | `machine` | the machine: what roots what is explained there | yes |

mod calls;
pub mod code;
pub mod compiler;
mod fault;
mod lexer;
mod machine;
pub mod natives;
mod properties;
mod run;
mod stack;
mod value;

pub use fault::Error;
pub use machine::Machine;
pub use value::Value;

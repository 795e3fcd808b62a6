//! Two small interpreters over Tumulus, complete and meant to be copied from.
//!
//! | module | what is there |
//! |---|---|
//! | [`lisp`] | a recursive evaluator: scopes keep its temporaries |
//! | [`script`] | a bytecode machine: its stack keeps them |

#![forbid(unsafe_code)]
#![allow(clippy::cast_sign_loss, clippy::float_cmp, reason = "numbers of these guests are floats, their indices too")]
#![allow(clippy::single_match_else, reason = "both arms are of one weight")]

pub mod lisp;
pub mod script;

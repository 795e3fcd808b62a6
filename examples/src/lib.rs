//! Two small interpreters over Tumulus, complete and meant to be copied from.
//!
//! | module | what is there |
//! |---|---|
//! | [`lisp`] | a recursive evaluator: scopes keep its temporaries |

#![forbid(unsafe_code)]

pub mod lisp;
pub mod script;

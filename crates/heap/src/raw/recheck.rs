//! Marking done a second time by the plainest means, to be compared with: for the zeal `recheck`.
//!
//! It knows nothing of slices, generations or waiting: it follows edges from the roots, and goes over all weak tables that it
//! has reached, again and again, until that reaches nothing new.

use super::bits::{bit_of, word_of};
use super::handle::AnyGc;
use super::inspect::Exactness;
use super::object::TypeInfo;
use super::store::Store;
use crate::trace::{Tracer, Visit};
use crate::verify::Flaw;
use std::collections::{HashMap, HashSet};

/// A search through the heap.
struct Search<'s> {
    living: &'s HashMap<u32, AnyGc>,
    reached: HashSet<u32>,
    todo: Vec<AnyGc>,
    /// The object whose edges are being shown has an entry whose key has not been reached.
    has_dead_keys: bool,
}

impl Visit for Search<'_> {
    fn edge(&mut self, to: AnyGc) {
        if let Some(&object) = self.living.get(&to.handle().index())
            && self.reached.insert(to.handle().index())
        {
            self.todo.push(object);
        }
    }

    fn is_alive(&mut self, key: AnyGc) -> bool {
        let is_reached = self.reached.contains(&key.handle().index());
        self.has_dead_keys |= !is_reached;
        is_reached
    }
}

impl Store {
    /// What marking should have marked, found by the plainest means. Says an index that is marked and should not be, or the
    /// other way round.
    pub(crate) fn check_marks(&self, exactness: Exactness, roots: impl FnOnce(&mut Tracer<'_>)) -> Result<(), Flaw> {
        let living: HashMap<u32, AnyGc> =
            self.cells().map(|view| (view.handle.handle().index(), view.handle)).collect();
        let mut search = Search { living: &living, reached: HashSet::new(), todo: Vec::new(), has_dead_keys: false };
        roots(&mut Tracer::visiting(&mut search));
        let mut tables = Vec::new();
        loop {
            let reached_before = search.reached.len();
            while let Some(object) = search.todo.pop() {
                search.has_dead_keys = false;
                self.visit_edges(object, &mut search);
                if search.has_dead_keys {
                    tables.push(object);
                }
            }
            for &table in &tables {
                self.visit_edges(table, &mut search);
            }
            if search.todo.is_empty() && search.reached.len() == reached_before {
                break;
            }
        }
        for (&index, object) in &living {
            let marked = self.bits[word_of(index)].mark & bit_of(index) != 0;
            // A minor cycle takes what is old for alive, and one in slices what died after it was marked.
            let may_be_marked = exactness == Exactness::MayMarkMore && marked;
            if marked != search.reached.contains(&index) && !may_be_marked {
                let type_name = self.type_of(object.handle()).map_or("?", TypeInfo::name);
                return Err(Flaw::WrongMark { index, type_name, marked });
            }
        }
        Ok(())
    }
}

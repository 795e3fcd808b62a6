//! A heap that only grows: an index of documents by their words.
//!
//! A hash table leads from a word to its term, and a term to the list of the documents it is in. The table is made anew with
//! twice the buckets when it is full. Almost nothing dies, so that every collection is in vain, and a good collector does few.

use super::numbers::{Checksum, Numbers, scatter, sum_of, text};
use super::shapes::{Words, put, put_slice, put_text};
use super::{Definition, Parameter, Workload};
use crate::session::{Session, Stop};
use tumulus_heap::{Gc, Heap, Trace};

pub(super) const DEFINITION: Definition = Definition {
    name: "growing",
    summary: "an index that only grows",
    page: include_str!("../../pages/growing.md"),
    parameters: &[
        Parameter::count("documents", "documents that are added", 160_000, 1..=100_000_000),
        Parameter::count("words", "words of a document", 40, 1..=10_000),
        Parameter::count("vocabulary", "different words", 200_000, 1..=100_000_000),
    ],
    make: |values| {
        Ok(Box::new(Growing {
            documents: values.count("documents") as u32,
            words: values.count("words") as u32,
            vocabulary: values.count("vocabulary") as u32,
        }))
    },
};

/// How many buckets the table begins with.
const BUCKETS: usize = 1024;
/// After so many documents the last word is looked up.
const BETWEEN_QUERIES: u32 = 16;
/// How many documents a query reads.
const READ: u32 = 20;

#[derive(Debug)]
struct Growing {
    /// How many documents are added to the index.
    documents: u32,
    /// How many words a document has.
    words: u32,
    /// How many different words there are.
    vocabulary: u32,
}

#[derive(Debug, Trace)]
struct Term {
    words: Words,
    number: u64,
    text: Gc<str>,
    chain: Option<Gc<Term>>,
    postings: Option<Gc<Posting>>,
}

#[derive(Debug, Trace)]
struct Posting {
    words: Words,
    document: u64,
    next: Option<Gc<Posting>>,
}

#[derive(Debug, Trace)]
struct Index {
    buckets: Gc<[Option<Gc<Term>>]>,
    terms: usize,
}

impl Workload for Growing {
    fn run(&mut self, session: &mut Session) -> Result<u64, Stop> {
        let mut numbers = Numbers::new(session.random().get_seed());
        let mut checksum = Checksum::default();
        let buckets = put_slice(session.heap(), &(), BUCKETS, |_| None)?;
        let mut index = Index { buckets, terms: 0 };
        session.plan(u64::from(self.documents) * u64::from(self.words));
        session.phase("indexing");
        for document in 0..self.documents {
            let mut last = 0;
            for _ in 0..self.words {
                let word = numbers.skewed(self.vocabulary);
                last = word;
                index.add(session, word, document)?;
                session.done(1);
                session.safepoint(&index)?;
            }
            if document % BETWEEN_QUERIES == 0 {
                checksum.add(index.query(session.heap(), last));
            }
        }
        checksum.add(index.terms as u32);
        Ok(checksum.get())
    }
}

impl Index {
    /// Notes that a word is in a document.
    fn add(&mut self, session: &mut Session, word: u32, document: u32) -> Result<(), Stop> {
        let term = match self.find(session.heap(), word) {
            Some(term) => term,
            None => self.term(session, word)?,
        };
        let next = session.heap()[term].postings;
        let posting = Posting { words: Words::default(), document: u64::from(document), next };
        let posting = put(session.heap(), self, posting)?;
        session.heap().get_mut(term).postings = Some(posting);
        Ok(())
    }

    /// Makes a term, which is in its chain.
    fn term(&mut self, session: &mut Session, word: u32) -> Result<Gc<Term>, Stop> {
        if self.terms == session.heap()[self.buckets].len() {
            self.grow(session)?;
        }
        let text = put_text(session.heap(), self, text(scatter(word)))?;
        let bucket = self.bucket_of(session.heap(), u64::from(word));
        let chain = session.heap()[self.buckets][bucket];
        let term = Term { words: Words::default(), number: u64::from(word), text, chain, postings: None };
        let term = put(session.heap(), self, term)?;
        session.heap().slice_mut(self.buckets, bucket..=bucket)[0] = Some(term);
        self.terms += 1;
        Ok(term)
    }

    /// Moves all terms to a table of twice the length.
    fn grow(&mut self, session: &mut Session) -> Result<(), Stop> {
        let old = self.buckets;
        let length = session.heap()[old].len();
        let new = put_slice(session.heap(), self, 2 * length, |_| None)?;
        self.buckets = new;
        let heap = session.heap();
        for at in 0..length {
            let mut chain = heap[old][at];
            while let Some(term) = chain {
                chain = heap[term].chain;
                let bucket = self.bucket_of(heap, heap[term].number);
                heap.get_mut(term).chain = heap[new][bucket];
                heap.slice_mut(new, bucket..=bucket)[0] = Some(term);
            }
        }
        Ok(())
    }

    fn bucket_of(&self, heap: &Heap, word: u64) -> usize {
        // The length is a power of two: the upper bits of what is scattered choose.
        ((u64::from(scatter(word as u32)) * heap[self.buckets].len() as u64) >> 32) as usize
    }

    fn find(&self, heap: &Heap, word: u32) -> Option<Gc<Term>> {
        let mut at = heap[self.buckets][self.bucket_of(heap, u64::from(word))];
        while let Some(term) = at {
            if heap[term].number == u64::from(word) {
                return at;
            }
            at = heap[term].chain;
        }
        None
    }

    /// Something of the latest documents with a word.
    fn query(&self, heap: &Heap, word: u32) -> u32 {
        let Some(term) = self.find(heap, word) else { return 0 };
        let mut sum = sum_of(&heap[heap[term].text]);
        let mut at = heap[term].postings;
        for _ in 0..READ {
            let Some(posting) = at else { break };
            sum = sum.wrapping_mul(31).wrapping_add(heap[posting].document as u32);
            at = heap[posting].next;
        }
        sum
    }
}

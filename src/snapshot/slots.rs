use std::sync::Arc;

/// How many entries share a chunk: replacing one copies its chunk and the list of chunks, both of about this size at
/// 100,000 entries.
const CHUNK: usize = 256;

/// A persistent array: a copy with one entry replaced shares all the others, and costs little however many there are.
#[derive(Debug)]
pub struct Slots<T> {
    chunks: Arc<[Chunk<T>]>,
    length: usize,
}

type Chunk<T> = Arc<[Arc<T>]>;

impl<T> Slots<T> {
    /// The entry in a slot.
    pub fn get(&self, slot: u32) -> Option<&Arc<T>> {
        let slot = slot as usize;
        self.chunks.get(slot / CHUNK)?.get(slot % CHUNK)
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Every entry, in the order of slots.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The same with some entries replaced. A slot that doesn't exist is left out.
    pub fn with(&self, replacements: impl IntoIterator<Item = (u32, Arc<T>)>) -> Self {
        let mut chunks: Vec<Chunk<T>> = self.chunks.to_vec();
        for (slot, entry) in replacements {
            let slot = slot as usize;
            let Some(chunk) = chunks.get_mut(slot / CHUNK) else { continue };
            if Arc::get_mut(chunk).is_none() {
                *chunk = chunk.iter().cloned().collect();
            }
            if let Some(place) = Arc::get_mut(chunk).and_then(|it| it.get_mut(slot % CHUNK)) {
                *place = entry;
            }
        }
        Self { chunks: chunks.into(), length: self.length }
    }
}

impl<T> FromIterator<T> for Slots<T> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let entries: Vec<Arc<T>> = entries.into_iter().map(Arc::new).collect();
        Self { chunks: entries.chunks(CHUNK).map(Chunk::from).collect(), length: entries.len() }
    }
}

impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), length: self.length }
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { chunks: Arc::new([]), length: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_shares_what_it_does_not_replace() {
        let old: Slots<usize> = (0..1000).collect();
        let new = old.with([
            (3, Arc::new(33)),
            (4, Arc::new(44)),
            (999, Arc::new(99)),
            (1000, Arc::new(0)),
        ]);
        let value = |slots: &Slots<usize>, slot| slots.get(slot).map(|it| **it);
        assert_eq!(
            [value(&old, 3), value(&old, 4), value(&old, 999)],
            [Some(3), Some(4), Some(999)]
        );
        assert_eq!(
            [value(&new, 3), value(&new, 4), value(&new, 999)],
            [Some(33), Some(44), Some(99)]
        );
        assert_eq!((value(&new, 1000), new.len(), new.iter().count()), (None, 1000, 1000));
        assert!(Arc::ptr_eq(&old.chunks[1], &new.chunks[1]), "an untouched chunk is shared");
        assert!(old.iter().map(|it| **it).eq(0..1000));
    }
}

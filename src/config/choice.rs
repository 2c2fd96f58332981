//! What a person means who chooses from a numbered list. Pure.

use super::values::{is_id, list, resolve_name};

/// The things that an answer names: by number, by name or by id, several with commas. An id is believed, since the list may be short.
pub(crate) fn chosen(kind: &str, answer: &str, known: &[(String, String)]) -> Result<Vec<String>, String> {
    // A name may hold a comma.
    if let Ok(id) = resolve_name(kind, answer.trim(), known) {
        return Ok(vec![id]);
    }
    let mut ids: Vec<String> = Vec::new();
    for word in list(answer) {
        let id = match word.parse::<usize>() {
            Ok(number) => match number.checked_sub(1).and_then(|index| known.get(index)) {
                Some((id, _)) => id.clone(),
                None => return Err(format!("there is no number {number}; the list ends at {}", known.len())),
            },
            Err(_) if is_id(&word) => word,
            Err(_) => resolve_name(kind, &word, known)?,
        };
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    if ids.is_empty() { Err(format!("name a {kind}, or its number in the list")) } else { Ok(ids) }
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn a_number_a_name_or_an_id() {
        let known: Vec<(String, String)> = [("a", "Smoke test"), ("b", "Shop, in full"), ("c", "2")]
            .map(|(id, name)| (id.to_owned(), name.to_owned()))
            .into();
        let id = "789e0123-e89b-12d3-a456-426614174000";
        for (answer, ids) in [
            ("1", Ok(vec!["a"])),
            ("1, smoke test", Ok(vec!["a"])),
            ("3,1", Ok(vec!["c", "a"])),
            ("2", Ok(vec!["c"])),
            ("Shop, in full", Ok(vec!["b"])),
            (id, Ok(vec![id])),
            ("4", Err("the list ends at 3")),
            ("0", Err("the list ends at 3")),
            ("Smok test", Err("did you mean \"Smoke test\"?")),
            (",", Err("name a test")),
        ] {
            match (chosen("test", answer, &known), ids) {
                (Ok(found), Ok(ids)) => assert_eq!(found, ids, "{answer}"),
                (Err(said), Err(words)) => assert!(said.contains(words), "{answer}: {said}"),
                (found, _) => panic!("{answer}: {found:?}"),
            }
        }
    }
}

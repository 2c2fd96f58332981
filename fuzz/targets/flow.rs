//! Fuzz targets of this module: a state file that somebody else wrote.

use super::state_file::parse;

/// Any bytes give records or an error; records that are read are written back the same.
pub(crate) fn state_file(data: &[u8]) {
    let Ok(records) = parse(data) else { return };
    let text = serde_json::json!({ "version": 1, "records": &records }).to_string();
    let again = parse(text.as_bytes());
    assert!(again.is_ok_and(|again| again == records), "{text}");
}

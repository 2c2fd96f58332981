//! Every `results.json` that any test makes is held against the published schema.

use boon::{Compiler, Schemas};
use serde_json::Value;

/// The schema as the program prints it.
const SCHEMA: &str = include_str!("../../docs/results.schema.json");

/// Asserts that the file is what the schema says.
#[track_caller]
pub(crate) fn holds(results: &Value) {
    const NAME: &str = "https://nunu-ci.test/results.schema.json";
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    schema.as_object_mut().unwrap().remove("$id");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource(NAME, schema).unwrap();
    let schema = compiler.compile(NAME, &mut schemas).unwrap();
    if let Err(error) = schemas.validate(results, schema) {
        panic!("results.json is not what its schema says: {error:#}\n{results:#}");
    }
}

#[test]
fn the_schema_refuses_what_is_not_a_result() {
    for wrong in [serde_json::json!({}), serde_json::json!([]), serde_json::json!({"schema_version": "1"})] {
        assert!(std::panic::catch_unwind(|| holds(&wrong)).is_err(), "{wrong}");
    }
}

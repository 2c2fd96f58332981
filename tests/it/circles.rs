//! No circle of files: whoever reads a file needs to know those below it, and none of these leads back.
//!
//! Read are imports and inline paths, in macros too, each followed through re-exports to the file that defines the name. Tests are left
//! out, and so are the re-exports of a `mod.rs` themselves: they name what lies below, they do not use it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::house::sources;

/// A module's or a name's way from the root of its crate.
type Way = Vec<String>;

/// One file, read.
#[derive(Default)]
struct File {
    /// Its module.
    module: Way,
    /// Names that imports bind, and what for.
    bound: BTreeMap<String, Way>,
    /// Everything that is named with a way.
    named: Vec<Way>,
}

impl File {
    fn read(module: Way, text: &str) -> Self {
        let mut file = Self { module, ..Self::default() };
        file.visit_file(&syn::parse_file(text).unwrap());
        file
    }

    fn import(&mut self, tree: &syn::UseTree, before: &[String], counts: bool) {
        let with = |name: &syn::Ident| before.iter().cloned().chain([name.to_string()]).collect::<Way>();
        let (name, way) = match tree {
            syn::UseTree::Path(path) => return self.import(&path.tree, &with(&path.ident), counts),
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.import(tree, before, counts));
            }
            syn::UseTree::Glob(_) => (None, before.to_vec()),
            syn::UseTree::Name(name) if name.ident == "self" => (before.last().cloned(), before.to_vec()),
            syn::UseTree::Name(name) => (Some(name.ident.to_string()), with(&name.ident)),
            syn::UseTree::Rename(rename) => (Some(rename.rename.to_string()), with(&rename.ident)),
        };
        if counts {
            self.named.push(way.clone());
        }
        if let Some(name) = name {
            self.bound.insert(name, way);
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let (mut way, mut colons) = (Way::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.name(std::mem::take(&mut way));
                    }
                    way.push(name.to_string());
                    colons = 0;
                }
                other => {
                    self.name(std::mem::take(&mut way));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.name(way);
    }

    fn name(&mut self, way: Way) {
        if way.len() > 1 {
            self.named.push(way);
        }
    }
}

fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition = list.tokens.to_string();
        list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("any (test"))
    })
}

impl<'ast> Visit<'ast> for File {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !for_tests(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let re_export = !matches!(item.vis, syn::Visibility::Inherited);
        self.import(&item.tree, &[], !re_export);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.name(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

/// The files of a crate by their modules.
struct Tree(BTreeMap<Way, File>);

impl Tree {
    fn read<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let read = files.into_iter().filter_map(|(path, text)| {
            let mut module: Way = path.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
            if ["mod", "lib", "main"].contains(&module.last()?.as_str()) {
                module.pop();
            }
            let tests = |name: &String| name.ends_with("tests") || name == "testing";
            (!module.iter().any(tests)).then(|| (module.clone(), File::read(module, &text)))
        });
        // A crate with `lib.rs` and `main.rs` has two roots; the program's imports go by the library's name.
        Self(read.collect())
    }

    /// The module whose file defines what `from` calls by that way; `None` for other crates.
    fn target(&self, from: &File, way: &[String], steps: usize) -> Option<Way> {
        let (first, rest) = way.split_first()?;
        let steps = steps.checked_sub(1)?;
        let mut at: Way = match first.as_str() {
            "crate" => Way::new(),
            "self" => from.module.clone(),
            "super" => from.module[..from.module.len().checked_sub(1)?].to_vec(),
            name => {
                let child: Way = from.module.iter().cloned().chain([name.to_owned()]).collect();
                if self.0.contains_key(&child) {
                    child
                } else {
                    let bound = from.bound.get(name)?;
                    let whole: Way = bound.iter().chain(rest).cloned().collect();
                    return (bound.first() != Some(first) || bound.len() > 1)
                        .then(|| self.target(from, &whole, steps))
                        .flatten();
                }
            }
        };
        for (number, name) in rest.iter().enumerate() {
            if name == "super" {
                at.pop();
                continue;
            }
            let inner: Way = at.iter().cloned().chain([name.clone()]).collect();
            if self.0.contains_key(&inner) {
                at = inner;
                continue;
            }
            let file = self.0.get(&at)?;
            let Some(bound) = file.bound.get(name) else { return Some(at) };
            let whole: Way = bound.iter().chain(&rest[number + 1..]).cloned().collect();
            return self.target(file, &whole, steps).or(Some(at));
        }
        self.0.contains_key(&at).then_some(at)
    }

    /// The files that each file needs.
    fn needs(&self) -> BTreeMap<&Way, BTreeSet<Way>> {
        let needed = |file: &File| {
            let targets = file.named.iter().filter_map(|way| self.target(file, way, 20));
            targets.filter(|target| *target != file.module).collect()
        };
        self.0.iter().map(|(module, file)| (module, needed(file))).collect()
    }

    /// Groups of files of which each needs the others.
    fn circles(&self) -> BTreeSet<Vec<String>> {
        let needs = self.needs();
        let reach: BTreeMap<&Way, BTreeSet<&Way>> = needs
            .keys()
            .map(|from| {
                let (mut seen, mut open) = (BTreeSet::new(), vec![*from]);
                while let Some(next) = open.pop() {
                    open.extend(needs[next].iter().filter(|target| seen.insert(*target)));
                }
                (*from, seen)
            })
            .collect();
        let together = |from: &Way| {
            let back = |to: &&&Way| reach[**to].contains(from);
            reach[from].iter().filter(back).map(|module| module.join("/")).collect::<Vec<_>>()
        };
        reach.keys().map(|from| together(from)).filter(|circle| circle.len() > 1).collect()
    }
}

fn circles_of(folder: &str) -> BTreeSet<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    sources(&root, &mut files);
    let names: Vec<String> = files
        .iter()
        .map(|file| file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"))
        .collect();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    let program = |(name, _): &(&str, String)| *name != "main.rs" || !names.contains(&"lib.rs".to_owned());
    Tree::read(names.iter().map(String::as_str).zip(texts).filter(program)).circles()
}

#[test]
fn no_file_needs_itself_by_way_of_others() {
    for folder in ["src", "protocol/src", "simulator/src"] {
        let circles: Vec<String> = circles_of(folder).iter().map(|circle| circle.join(" <-> ")).collect();
        assert!(circles.is_empty(), "circles of files in {folder}:\n{}", circles.join("\n"));
    }
}

#[test]
fn circles_are_found_through_re_exports_aliases_and_macros() {
    let circles = |files: &[(&'static str, &str)]| {
        Tree::read(files.iter().map(|(path, text)| (*path, (*text).to_owned()))).circles()
    };
    let root = ("lib.rs", "mod a; mod b;");
    let tied = [vec!["a/one".to_owned(), "b".to_owned()]].into();
    for one in [
        "use crate::b::f; fn g() { f() }",
        "use crate::b; fn g() { b::f() }",
        "fn g() { println!(\"{}\", crate::b::f()) }",
        "fn g() { super::super::b::f() }",
    ] {
        let found = circles(&[
            root,
            ("a/mod.rs", "mod one; pub(crate) use one::g as h;"),
            ("a/one.rs", one),
            ("b.rs", "use crate::a::h; pub(crate) fn f() { h() }"),
        ]);
        assert_eq!(found, tied, "{one}");
    }
    let down = "#[cfg(test)] mod tests { use crate::a::h; } pub(crate) fn f() {}";
    let found = circles(&[
        root,
        ("a/mod.rs", "mod one; pub(crate) use one::g as h;"),
        ("a/one.rs", "pub(crate) fn g() { crate::b::f() }"),
        ("b.rs", down),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

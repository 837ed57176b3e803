//! Settings as people are told of them: what is in force and why, and what a reload changed.

use tally_protocol::settings::{ChangeView, ConfigView, FaultView, ReloadView, SettingView};

use super::keys::{KEYS, Reload};
use super::layers::{BadSetting, Layers, Origin};
use super::sources::Reading;

impl Reading {
    /// What is in force, with where each value came from.
    #[must_use]
    pub fn view(&self) -> ConfigView {
        let built_in = Layers::built_in().unwrap_or_default();
        let settings = self.layers.iter().map(|(key, written)| SettingView {
            key: key.name.to_owned(),
            value: written.text.clone(),
            origin: written.origin.name().to_owned(),
            place: (written.origin != Origin::BuiltIn).then(|| written.place.clone()),
            default: built_in.get(key.name).map_or_else(|_| String::new(), |one| one.text.clone()),
            range: key.kind.to_string(),
            variable: key.variable(),
            flag: key.flag(),
            reload: key.reload.name().to_owned(),
        });
        ConfigView { settings: settings.collect(), warnings: self.warnings.clone() }
    }

    /// What changes from this reading to the next. Values that wait for a restart stay those of this one in `next`,
    /// so that what is shown is what is in force.
    pub(crate) fn changes_to(&self, next: &Self) -> ReloadView {
        let mut view = ReloadView { warnings: next.warnings.clone(), ..ReloadView::default() };
        for key in KEYS {
            let (Ok(old), Ok(new)) = (self.layers.get(key.name), next.layers.get(key.name)) else { continue };
            if old.text == new.text {
                continue;
            }
            let change =
                ChangeView { key: key.name.to_owned(), from: old.text.clone(), to: new.text.clone() };
            match key.reload {
                Reload::Live | Reload::NewWorkers => view.changed.push(change),
                Reload::Restart => view.needs_restart.push(change),
            }
        }
        view
    }

    /// This reading with the values of the old one where those hold until a restart.
    pub(crate) fn after(mut self, old: &Self) -> Self {
        for key in KEYS.iter().filter(|key| key.reload == Reload::Restart) {
            self.layers.keep(key, &old.layers);
        }
        self
    }
}

impl From<BadSetting> for FaultView {
    fn from(fault: BadSetting) -> Self {
        Self { place: fault.place, message: fault.why }
    }
}

#include "eval/enrolment.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/rng.h"
#include "data/csv.h"

namespace likeness::eval {
namespace {

constexpr std::string_view kNamedGallery = "gallery:";

// Brings a person's entries together, refuses what cannot be searched, and sets the digest.
void finish(Enrolment& e) {
  const TemplateList& t = e.templates;
  Digest d;
  d.add(t.digest());
  const auto subject = [&](std::int64_t entry) { return t.subjects[static_cast<std::size_t>(entry)]; };
  const auto note = [&](const std::string& what, const std::vector<std::int64_t>& entries, bool known) {
    d.add(what).add(std::as_bytes(std::span(entries)));
    for (std::int64_t entry : entries)
      if (known && subject(entry) < 0)
        fail_data({"a person is unknown, so nobody can say whether a search should find them",
                   e.source + ", " + what + " " + t.names[static_cast<std::size_t>(entry)],
                   "a subject for every gallery entry and probe", "",
                   "people in the gallery whom no probe shows can be distractors"});
  };
  for (Enrolment::Gallery& g : e.galleries) {
    std::stable_sort(g.entries.begin(), g.entries.end(),
                     [&](std::int64_t x, std::int64_t y) { return subject(x) < subject(y); });
    note("gallery " + g.name, g.entries, true);
  }
  note("probe", e.probes, true);
  note("distractor", e.distractors, false);
  e.digest = d.hex();
  if (e.galleries.empty()) fail_data({"the gallery is empty", e.source, "at least one entry", "none", ""});
  for (const Enrolment::Gallery& g : e.galleries)
    if (g.entries.empty())
      fail_data(
          {"the gallery is empty", e.source + (g.name.empty() ? "" : ", " + g.name), "at least one entry", "none", ""});
  if (e.probes.empty()) fail_data({"there are no probes", e.source, "at least one search", "none", ""});
}

Enrolment::Gallery& gallery_named(Enrolment& e, const std::string& name) {
  for (Enrolment::Gallery& g : e.galleries)
    if (g.name == name) return g;
  return e.galleries.emplace_back(Enrolment::Gallery{name, {}});
}

// The people of an IJB table by template: rows repeat for each picture.
std::map<std::int64_t, std::string> ijb_people(const std::filesystem::path& path) {
  std::map<std::int64_t, std::string> people;
  data::CsvReader table(path);
  if (table.header().size() < 2)
    fail_data({"a table of an IJB protocol lacks columns", table.where(), "TEMPLATE_ID,SUBJECT_ID,…", "", ""});
  for (std::vector<std::string> f; table.next(f);) {
    if (f[0].empty() || f[0].size() > 18 || f[0].find_first_not_of("0123456789") != std::string::npos || f[1].empty())
      fail_data({"a row of an IJB protocol cannot be read", table.where(), "a template's number and a subject",
                 f[0] + "," + f[1], ""});
    const auto [it, fresh] = people.emplace(std::stoll(f[0]), f[1]);
    if (!fresh && it->second != f[1])
      fail_data({"a template of two people", table.where() + " (template " + f[0] + ")", it->second, f[1], ""});
  }
  return people;
}

}  // namespace

Fusion parse_fusion(const std::string& text) {
  for (Fusion f : {Fusion::kScore, Fusion::kTemplate})
    if (text == to_string(f)) return f;
  fail_usage({"unknown fusion", "--fuse", "score or template", text, ""});
}

std::string to_string(Fusion fusion) { return fusion == Fusion::kScore ? "score" : "template"; }

void fuse_galleries(Enrolment& e) {
  TemplateList& t = e.templates;
  std::vector<std::vector<TemplateList::Face>> faces(t.names.size());
  for (const TemplateList::Face& f : t.faces) faces[static_cast<std::size_t>(f.of)].push_back(f);
  for (Enrolment::Gallery& g : e.galleries) {
    std::vector<std::int64_t> fused;
    for (std::size_t i = 0; i < g.entries.size();) {
      const std::int64_t person = t.subjects[static_cast<std::size_t>(g.entries[i])];
      std::size_t end = i;
      while (end < g.entries.size() && t.subjects[static_cast<std::size_t>(g.entries[end])] == person) ++end;
      if (end == i + 1) {
        fused.push_back(g.entries[i]);
      } else {
        // A new template: the old ones may be entries of another gallery, or probes.
        const std::int64_t at = t.size();
        t.names.push_back((g.name.empty() ? "" : g.name + " ") + "all of " +
                          t.subject_names[static_cast<std::size_t>(person)]);
        t.subjects.push_back(person);
        for (std::size_t k = i; k < end; ++k)
          for (TemplateList::Face f : faces[static_cast<std::size_t>(g.entries[k])]) f.of = at, t.faces.push_back(f);
        fused.push_back(at);
      }
      i = end;
    }
    g.entries = std::move(fused);
  }
}

Enrolment read_roles(const std::filesystem::path& path, const SetIndex& set) {
  TemplateTable table = read_template_table(path, set);
  if (table.roles.empty())
    fail_data({"a list lacks the column role", path.string(), "picture,template,subject,role", "", ""});
  Enrolment e;
  e.protocol = "csv roles";
  e.source = path.string();
  e.templates = std::move(table.list);
  for (std::size_t t = 0; t < table.roles.size(); ++t) {
    const std::string& role = table.roles[t];
    const auto entry = static_cast<std::int64_t>(t);
    if (role == "probe")
      e.probes.push_back(entry);
    else if (role == "distractor")
      e.distractors.push_back(entry);
    else if (role == "gallery")
      gallery_named(e, "").entries.push_back(entry);
    else if (role.starts_with(kNamedGallery) && role.size() > kNamedGallery.size())
      gallery_named(e, role.substr(kNamedGallery.size())).entries.push_back(entry);
    else if (role != "none")
      fail_data({"unknown role", path.string() + ", template " + e.templates.names[t],
                 "gallery, gallery:NAME, probe, distractor or none", role, ""});
  }
  finish(e);
  return e;
}

Enrolment first_picture(const SetIndex& set, const FirstPictureRule& rule) {
  if (!(rule.held_out >= 0 && rule.held_out < 1))
    fail_usage(
        {"a share of people cannot be held out", "--held-out", "0 <= SHARE < 1", std::to_string(rule.held_out), ""});
  Enrolment e;
  e.protocol = "first picture";
  e.source = set.name();
  e.rule = {{"held_out", rule.held_out}, {"seed", rule.seed}};
  TemplateList& t = e.templates;
  t.source = set.name();
  std::unordered_map<std::int64_t, std::int64_t> people;  // of the set -> row of subject_names
  std::vector<std::int64_t> pictures;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const std::int64_t subject = set.subject(i);
    std::int64_t person = -1;
    if (subject >= 0) {
      const auto [it, fresh] = people.emplace(subject, static_cast<std::int64_t>(t.subject_names.size()));
      if (fresh) t.subject_names.push_back(set.subject_name(subject)), pictures.push_back(0);
      person = it->second;
      ++pictures[static_cast<std::size_t>(person)];
    }
    t.names.push_back(set.key(i)), t.subjects.push_back(person);
    t.faces.push_back({i, i, i, 1});
  }
  // Who is held out hangs on the name and the seed alone, not on the order of the set.
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  for (std::size_t p = 0; p < t.subject_names.size(); ++p)
    order.emplace_back(Rng(rule.seed, Purpose::kSample, 0, fnv1a(t.subject_names[p])).next_u64(), p);
  std::sort(order.begin(), order.end());
  std::vector<std::uint8_t> held_out(order.size(), 0), enrolled(order.size(), 0);
  const auto count = static_cast<std::size_t>(rule.held_out * static_cast<double>(order.size()) + 0.5);
  for (std::size_t i = 0; i < std::min(count, order.size()); ++i) held_out[order[i].second] = 1;
  Enrolment::Gallery gallery;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    const std::int64_t person = t.subjects[static_cast<std::size_t>(i)];
    if (person >= 0 && !held_out[static_cast<std::size_t>(person)] &&
        !std::exchange(enrolled[static_cast<std::size_t>(person)], 1))
      gallery.entries.push_back(i);
    else
      e.probes.push_back(i);
  }
  e.galleries.push_back(std::move(gallery));
  finish(e);
  return e;
}

Enrolment read_ijb_roles(const std::vector<std::filesystem::path>& galleries,
                         const std::vector<std::filesystem::path>& probes, TemplateList templates) {
  Enrolment e;
  e.protocol = "ijb 1:n";
  e.source = templates.source;
  e.templates = std::move(templates);
  TemplateList& t = e.templates;
  std::unordered_map<std::string, std::int64_t> rows, people;
  for (std::size_t i = 0; i < t.names.size(); ++i) rows.emplace(t.names[i], static_cast<std::int64_t>(i));
  const auto add = [&](const std::filesystem::path& path, std::vector<std::int64_t>& entries) {
    for (const auto& [id, subject] : ijb_people(path)) {
      const auto found = rows.find(std::to_string(id));
      if (found == rows.end())
        fail_data({"a protocol names a template that is not there", path.string(),
                   "one of the templates of " + t.source, std::to_string(id), ""});
      const auto [it, fresh] = people.emplace(subject, static_cast<std::int64_t>(t.subject_names.size()));
      if (fresh) t.subject_names.push_back(subject);
      std::int64_t& person = t.subjects[static_cast<std::size_t>(found->second)];
      if (person >= 0 && person != it->second)
        fail_data({"a template of two people", path.string() + " (template " + std::to_string(id) + ")",
                   t.subject_names[static_cast<std::size_t>(person)], subject, ""});
      person = it->second;
      entries.push_back(found->second);
    }
  };
  for (const std::filesystem::path& path : galleries) {
    Enrolment::Gallery gallery{galleries.size() > 1 ? path.stem().string() : "", {}};
    // "ijbc_1N_gallery_G1" is known as G1.
    if (const auto at = gallery.name.rfind('_'); at != std::string::npos) gallery.name.erase(0, at + 1);
    add(path, gallery.entries);
    e.galleries.push_back(std::move(gallery));
  }
  for (const std::filesystem::path& path : probes) add(path, e.probes);
  finish(e);
  return e;
}

}  // namespace likeness::eval

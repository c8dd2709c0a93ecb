// Who is enrolled and who is searched for: gallery and probes of an identification.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/templates.h"

namespace likeness::eval {

// Entries are templates of `templates` (of a single picture each, where nothing is pooled).
struct Enrolment {
  struct Gallery {
    std::string name;                   // "" when there is only one
    std::vector<std::int64_t> entries;  // entries of a person one after another
  };
  TemplateList templates;
  std::vector<Gallery> galleries;         // each is searched on its own: IJB's G1 and G2
  std::vector<std::int64_t> probes;       // a probe is mated in a gallery iff its person has an entry there
  std::vector<std::int64_t> distractors;  // entries of every gallery that are nobody's mates
  std::string protocol;                   // "csv roles", "first picture", "ijb 1:n"
  std::string source, digest;             // file or set; of names, people, roles and pictures
  nlohmann::json rule = nullptr;          // of "first picture": held_out, seed
};

// How several entries of one person in a gallery answer a search.
enum class Fusion {
  kScore,     // as they are; the best score is the person's
  kTemplate,  // pooled into one entry
};
Fusion parse_fusion(const std::string& text);  // "score", "template"; kUsage
std::string to_string(Fusion fusion);
// Makes one entry of a person's several, in every gallery; probes keep theirs.
void fuse_galleries(Enrolment& enrolment);

// A table as read_template_table() takes it, with a column role: gallery (or gallery:NAME for several), probe,
// distractor, or none (left out). kData: another role, a probe or gallery entry of unknown person, no gallery, no
// probes.
Enrolment read_roles(const std::filesystem::path& path, const SetIndex& set);

// The rule "first picture": each person's first picture is enrolled, the others are probes. A share of all people,
// drawn with a seed, is held out of the gallery: their pictures are the non-mated probes.
struct FirstPictureRule {
  double held_out = 0.2;  // [0, 1); 0: a closed set. A fifth, as few as leave enough mated searches in small sets
  std::uint64_t seed = 1;
};
Enrolment first_picture(const SetIndex& set, const FirstPictureRule& rule);

// IJB's tables "TEMPLATE_ID,SUBJECT_ID,…": one for each gallery, several for the probes. Subjects of `templates` come
// from them.
Enrolment read_ijb_roles(const std::vector<std::filesystem::path>& galleries,
                         const std::vector<std::filesystem::path>& probes, TemplateList templates);

}  // namespace likeness::eval

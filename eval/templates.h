// Templates: several pictures of one person that are compared as one, as IJB's protocols do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/embeddings.h"
#include "eval/trials.h"

namespace likeness::eval {

// Which pictures make which templates. A picture may be in several templates.
struct TemplateList {
  struct Face {
    std::int64_t picture = 0;  // row of the set or archive
    std::int64_t of = 0;       // index of the template
    std::int64_t media = 0;    // pictures of one medium (frames of a video) share it within their template
    double weight = 1;         // the detector's score of this picture
  };
  std::vector<Face> faces;
  std::vector<std::string> names;      // [T] as trials name them
  std::vector<std::int64_t> subjects;  // [T] row of subject_names; -1: unknown
  std::vector<std::string> subject_names;
  bool has_weights = false;
  std::string source;  // file

  std::int64_t size() const { return static_cast<std::int64_t>(names.size()); }
  // The templates as something trials are resolved against.
  SetIndex index() const;
  // Pictures it needs, rising; and the same list over an archive of just these rows.
  std::vector<std::int64_t> needed_rows() const;
  void remap(const std::vector<std::int64_t>& rows);
  // Of names, subjects and faces, in order. Taken before remap(), it does not depend on what was embedded.
  std::string digest() const;
};

// How pictures become a template. For each picture: its embedding (with flip "sum", of both passes), brought to length
// 1 unless its norm is kept, times the detector's score where that is wanted. Then the mean within each medium, and the
// sum over media. InsightFace's "N" switch means kept in one of its scripts and removed in the other: here it has two
// names.
struct PoolOptions {
  bool keep_norms = true;          // the length of an embedding says how sure the network is: good pictures weigh more
  bool detector_weight = false;    // needs TemplateList::weight
  bool by_media = true;            // false: the mean of all pictures, so that a long video outweighs every photograph
  nlohmann::json to_json() const;  // {"image_norm": "kept", "detector_weight": false, "pooling": "media"}
};

// One row for each template, f32 as summed in double, with subjects and no attributes. Pictures that failed are left
// out; a template of nothing else failed itself. kData naming template and picture: an embedding that is not finite, or
// zero. kUsage: detector weights that the list does not have. Thread-safe.
EmbeddingArchive pool(const EmbeddingArchive& faces, const TemplateList& list, const PoolOptions& options, int threads);

// A table with a header: picture, template[, media][, subject][, role]; without a column "picture", "media" names the
// picture. Without "template" each picture is a template of its own; without "subject" the set's identities are taken.
// Pictures of one template must agree in subject and role (kData naming file and line; as for a picture that the set
// does not have). Other columns are refused by name.
struct TemplateTable {
  TemplateList list;
  std::vector<std::string> roles;  // [T] as written; empty without the column
};
TemplateTable read_template_table(const std::filesystem::path& path, const SetIndex& set);

// ---- IJB-B and IJB-C (eval/ijb_files.cpp)
// ------------------------------------------------------------------------------------

// What the folder meta/ of IJB-B or IJB-C holds, by the ends of the files' names. kData: no list of templates, or two
// of a kind.
struct IjbFiles {
  std::filesystem::path templates, scores, pairs;        // empty where missing
  std::vector<std::filesystem::path> galleries, probes;  // in the order of their names
};
IjbFiles find_ijb_files(const std::filesystem::path& folder);

// ijbc_face_tid_mid.txt: "image template media", separated by blanks, without header. Subjects are unknown.
TemplateList read_ijb_templates(const std::filesystem::path& path, const SetIndex& set);
// ijbc_name_5pts_score.txt: image, ten numbers, the detector's score. kData for a picture of `list` without one.
void read_ijb_scores(const std::filesystem::path& path, const SetIndex& set, TemplateList& list);
// ijbc_template_pair_label.txt: "template template label". 15.7 million lines take about a second.
Trials read_ijb_pairs(const std::filesystem::path& path, const TemplateList& list);

}  // namespace likeness::eval

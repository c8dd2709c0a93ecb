#include "eval/templates.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <unordered_map>

#include "core/error.h"
#include "core/file.h"
#include "core/thread_pool.h"
#include "data/csv.h"
#include "eval/metrics/scoring.h"

namespace likeness::eval {
namespace {

// One template's faces follow one another, and so do its media's.
std::vector<TemplateList::Face> grouped(const TemplateList& list) {
  std::vector<TemplateList::Face> faces = list.faces;
  std::stable_sort(faces.begin(), faces.end(),
                   [](const auto& x, const auto& y) { return x.of != y.of ? x.of < y.of : x.media < y.media; });
  return faces;
}

class Pool {
 public:
  Pool(const EmbeddingArchive& archive, const TemplateList& list, const PoolOptions& options)
      : archive_(archive), list_(list), options_(options), dimension_(static_cast<std::size_t>(archive.dimension)) {}

  // Sums the faces of one template into out [D]; whether there was any.
  bool run(std::span<const TemplateList::Face> faces, std::vector<double>& medium, std::vector<double>& sum,
           float* out) const {
    std::fill(sum.begin(), sum.end(), 0.0);
    std::size_t used = 0;
    for (std::size_t i = 0; i < faces.size();) {
      std::fill(medium.begin(), medium.end(), 0.0);
      std::size_t count = 0;
      const std::int64_t media = faces[i].media;
      for (; i < faces.size() && (!options_.by_media || faces[i].media == media); ++i) count += add(faces[i], medium);
      if (count == 0) continue;
      used += count;
      for (std::size_t k = 0; k < dimension_; ++k) sum[k] += medium[k] / static_cast<double>(count);
    }
    for (std::size_t k = 0; k < dimension_; ++k) out[k] = static_cast<float>(sum[k]);
    return used > 0;
  }

 private:
  std::size_t add(const TemplateList::Face& face, std::vector<double>& medium) const {
    const auto picture = static_cast<std::size_t>(face.picture);
    if (!archive_.failed.empty() && archive_.failed[picture]) return 0;
    const float* x = archive_.embeddings.data() + picture * dimension_;
    double scale = options_.detector_weight ? face.weight : 1.0;
    const double squares = dot(x, x, dimension_);
    if (!std::isfinite(squares) || squares == 0)
      fail_data({squares == 0 ? "an embedding is zero" : "an embedding is not finite",
                 "template " + list_.names[static_cast<std::size_t>(face.of)] + ", row " + std::to_string(picture) +
                     " (" + archive_.keys[picture] + ")",
                 squares == 0 ? "a length above 0" : "finite numbers", squares == 0 ? "0" : "NaN or infinity",
                 "embed the set again, or mark the picture as failed"});
    if (!options_.keep_norms) scale /= std::sqrt(squares);
    for (std::size_t k = 0; k < dimension_; ++k) medium[k] += static_cast<double>(x[k]) * scale;
    return 1;
  }

  const EmbeddingArchive& archive_;
  const TemplateList& list_;
  const PoolOptions& options_;
  std::size_t dimension_;
};

}  // namespace

nlohmann::json PoolOptions::to_json() const {
  return {{"image_norm", keep_norms ? "kept" : "removed"},
          {"detector_weight", detector_weight},
          {"pooling", by_media ? "media" : "flat"}};
}

SetIndex TemplateList::index() const { return SetIndex::of(names, subjects, source); }

std::vector<std::int64_t> TemplateList::needed_rows() const {
  std::vector<std::int64_t> rows;
  for (const Face& f : faces) rows.push_back(f.picture);
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

std::string TemplateList::digest() const {
  Digest d;
  for (std::size_t t = 0; t < names.size(); ++t)
    d.add(names[t])
        .add("\t")
        .add(subjects[t] < 0 ? "" : subject_names[static_cast<std::size_t>(subjects[t])])
        .add("\n");
  static_assert(sizeof(Face) == 32);  // no padding, whose bytes could be anything
  d.add(std::as_bytes(std::span(faces)));
  return d.hex();
}

void TemplateList::remap(const std::vector<std::int64_t>& rows) {
  for (Face& f : faces) {
    const auto at = std::lower_bound(rows.begin(), rows.end(), f.picture);
    LIKENESS_ASSERT(at != rows.end() && *at == f.picture);
    f.picture = at - rows.begin();
  }
}

EmbeddingArchive pool(const EmbeddingArchive& archive, const TemplateList& list, const PoolOptions& options,
                      int threads) {
  if (options.detector_weight && !list.has_weights)
    fail_usage({"no detector scores to weigh pictures by", list.source,
                "a file *_name_5pts_score.txt in the folder of --ijb", "none", "--detector-weight off"});
  const std::vector<TemplateList::Face> faces = grouped(list);
  std::vector<std::size_t> begin(list.names.size() + 1, faces.size());
  for (std::size_t i = faces.size(); i-- > 0;) begin[static_cast<std::size_t>(faces[i].of)] = i;
  for (std::size_t t = list.names.size(); t-- > 0;)
    begin[t] = std::min(begin[t], begin[t + 1]);  // a template without faces is empty

  const auto d = static_cast<std::size_t>(archive.dimension);
  EmbeddingArchive out;
  out.contract = archive.contract;
  out.dimension = archive.dimension;
  out.data_digest = archive.data_digest;
  out.keys = list.names;
  out.subjects = list.subjects;
  out.subject_names = list.subject_names;
  out.embeddings.resize(list.names.size() * d);
  out.norms.resize(list.names.size());
  out.failed.resize(list.names.size());
  const Pool work(archive, list, options);
  parallel_for(list.names.size(), 64, threads, [&](std::size_t first, std::size_t last) {
    std::vector<double> medium(d), sum(d);
    for (std::size_t t = first; t < last; ++t) {
      float* row = out.embeddings.data() + t * d;
      out.failed[t] = !work.run(std::span(faces).subspan(begin[t], begin[t + 1] - begin[t]), medium, sum, row);
      out.norms[t] = static_cast<float>(std::sqrt(dot(row, row, d)));
    }
  });
  return out;
}

TemplateTable read_template_table(const std::filesystem::path& path, const SetIndex& set) {
  data::CsvReader table(path);
  for (const std::string& name : table.header())
    if (name != "picture" && name != "template" && name != "media" && name != "subject" && name != "role")
      fail_data({"a list of templates has a column of another name", table.where(),
                 "picture, template, media, subject, role", name, ""});
  const int media = table.column("media"), subject = table.column("subject"), role = table.column("role");
  const int named = table.column("template"), picture = table.column("picture") >= 0 ? table.column("picture") : media;
  if (picture < 0)
    fail_data({"a list of templates does not say which pictures", table.where(), "a column picture, or media", "", ""});

  TemplateTable out;
  out.list.source = path.string();
  std::unordered_map<std::string, std::int64_t> templates, mediums, people;
  for (std::vector<std::string> f; table.next(f);) {
    const auto field = [&f](int column) -> const std::string& { return f[static_cast<std::size_t>(column)]; };
    const std::string where = table.where();
    const std::int64_t row = find_picture(set, field(picture), where);
    std::int64_t person = -1;
    const std::string name = subject >= 0            ? field(subject)
                             : set.subject(row) >= 0 ? set.subject_name(set.subject(row))
                                                     : "";
    if (!name.empty()) {
      const auto [it, fresh] = people.emplace(name, static_cast<std::int64_t>(out.list.subject_names.size()));
      if (fresh) out.list.subject_names.push_back(name);
      person = it->second;
    }
    const auto [it, fresh] = templates.emplace(named >= 0 ? field(named) : set.key(row), out.list.size());
    const auto at = static_cast<std::size_t>(it->second);
    if (fresh) {
      out.list.names.push_back(it->first);
      out.list.subjects.push_back(person);
      if (role >= 0) out.roles.push_back(field(role));
    } else if (out.list.subjects[at] != person || (role >= 0 && out.roles[at] != field(role))) {
      const bool people_differ = out.list.subjects[at] != person;
      const auto text = [&](std::int64_t p) {
        return p < 0 ? std::string("unknown") : out.list.subject_names[static_cast<std::size_t>(p)];
      };
      fail_data({people_differ ? "a template of two people" : "a template with two roles",
                 where + " (template " + it->first + ")", people_differ ? text(out.list.subjects[at]) : out.roles[at],
                 people_differ ? text(person) : field(role), ""});
    }
    // A picture without a medium is one of its own.
    const std::string medium =
        media >= 0 && media != picture && !field(media).empty() ? "m" + field(media) : "p" + set.key(row);
    out.list.faces.push_back(
        {row, it->second, mediums.emplace(medium, static_cast<std::int64_t>(mediums.size())).first->second, 1});
  }
  if (out.list.faces.empty())
    fail_data({"a list of templates is empty", path.string(), "at least one picture", "", ""});
  return out;
}

}  // namespace likeness::eval

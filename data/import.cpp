#include "data/import.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/signals.h"
#include "core/thread_pool.h"
#include "core/version.h"

namespace likeness::data {
namespace {

// What pass one learns about a picture. bytes 0: it is bad and skipped.
struct Look {
  std::uint32_t bytes = 0;
  PictureSize size;
};

struct Survey {
  std::vector<Look> looks;
  std::int64_t bad = 0;
  std::map<std::int64_t, std::string> reasons;  // of the first kReasons bad pictures
};

constexpr std::size_t kReasons = 100;

std::string where_of(const FaceSource& source, std::int64_t i) { return source.path().string() + ", " + source.key(i); }

Look look_at(const FaceSource& source, std::int64_t i, const ImportOptions& options,
             const std::vector<std::optional<Landmarks>>& landmarks, std::vector<std::byte>& scratch) {
  const auto encoded = source.encoded(i, scratch);
  source.label(i);  // throws where the label is bad
  const std::string where = where_of(source, i);
  if (encoded.size() > UINT32_MAX)
    fail_data({"picture is too large", where, "less than 4 GiB", std::to_string(encoded.size()), ""});
  const Look look{static_cast<std::uint32_t>(encoded.size()), inspect_picture(encoded, options.verify, where)};
  if (!landmarks.empty() && !landmarks[static_cast<std::size_t>(i)])
    fail_data({"picture has no landmarks", where, "a row in " + options.landmarks.string(), "none",
               "--on-bad skip leaves such pictures out"});
  return look;
}

// The result does not depend on the number of threads: an error is that of the first bad picture.
Survey survey(const FaceSource& source, const ImportOptions& options,
              const std::vector<std::optional<Landmarks>>& landmarks) {
  Survey result;
  const auto n = static_cast<std::size_t>(source.size());
  result.looks.resize(n);
  std::mutex mutex;
  std::optional<Error> failure;
  std::atomic<std::size_t> failed_at{n};
  auto note = [&](std::size_t i, const Error& e) {
    const std::lock_guard lock(mutex);
    if (options.on_bad == OnBad::kFail && i < failed_at) {
      failed_at = i;
      failure = e;
    }
    const ErrorParts& parts = e.parts();
    ++result.bad;
    result.reasons[static_cast<std::int64_t>(i)] =
        parts.where + ": " + parts.what + (parts.got.empty() ? "" : " (" + parts.got + ")");
    if (result.reasons.size() > kReasons) result.reasons.erase(std::prev(result.reasons.end()));
  };
  parallel_for(n, 1024, resolve_threads(options.threads), [&](std::size_t begin, std::size_t end) {
    std::vector<std::byte> scratch;
    for (std::size_t i = begin; i < end && i < failed_at; ++i) {
      throw_if_stopped();
      try {
        result.looks[i] = look_at(source, static_cast<std::int64_t>(i), options, landmarks, scratch);
      } catch (const Error& e) {
        if (e.kind() != ErrorKind::kData) throw;
        note(i, e);
      }
    }
  });
  if (failure) throw *failure;
  return result;
}

// The size all pictures share, or 0x0.
PictureSize common_size(const Survey& survey) {
  PictureSize common;
  for (const Look& look : survey.looks) {
    if (look.bytes == 0) continue;
    if (common == PictureSize{}) common = look.size;
    if (!(look.size == common)) return {};
  }
  return common;
}

FaceGeometry geometry_of(const FaceSource& source, const ImportOptions& options, const Survey& survey) {
  const PictureSize size = common_size(survey);
  const bool told = !options.points.empty() || !options.geometry.empty();
  if (told && size == PictureSize{})
    fail_data({"pictures have different sizes", source.path().string(),
               "one size, so that five points can hold for all", "several",
               "give each picture its own points with --landmarks"});
  if (!options.points.empty())
    return FaceGeometry::custom(size.width, size.height, parse_points(options.points, "--points"));
  if (options.geometry == "arcface") {
    if (size.width != size.height)
      fail_data({"pictures are not square", source.path().string(), "the field's template is square",
                 std::to_string(size.width) + "x" + std::to_string(size.height),
                 "say where the faces stand with --points"});
    return FaceGeometry::arcface(size.width);
  }
  const FaceGeometry own = source.geometry();
  if (own.points && options.landmarks.empty()) return own;
  return FaceGeometry::unknown(size.width, size.height);
}

void check_options(const ImportOptions& options) {
  const int ways = !options.points.empty() + !options.landmarks.empty() + !options.geometry.empty();
  if (ways > 1)
    fail_usage({"options exclude each other", "--points, --landmarks, --geometry", "one of them at most",
                std::to_string(ways) + " of them", "landmarks are per picture, points and a geometry hold for all"});
  if (!options.geometry.empty() && options.geometry != "arcface")
    fail_usage({"unknown geometry", "--geometry", "arcface", options.geometry,
                "other places of the face are given with --points"});
}

// The rows of `all` that are kept.
AttributeTable kept_rows(const AttributeTable& all, const Survey& survey) {
  AttributeTable kept;
  for (const AttributeColumn& from : all.columns) {
    AttributeColumn& to = kept.columns.emplace_back(AttributeColumn{from.name, from.categories, {}});
    for (std::size_t i = 0; i < survey.looks.size(); ++i)
      if (survey.looks[i].bytes > 0) to.codes.push_back(from.codes[i]);
  }
  return kept;
}

// The source's pairs between pictures that were kept, with their new numbers.
std::vector<FaceSource::Pair> kept_pairs(const FaceSource& source, const Survey& survey) {
  std::vector<std::int64_t> place;
  std::int64_t next = 0;
  for (const Look& look : survey.looks) place.push_back(look.bytes > 0 ? next++ : -1);
  std::vector<FaceSource::Pair> kept;
  for (const auto& p : source.pairs()) {
    const std::int64_t a = place[static_cast<std::size_t>(p.a)], b = place[static_cast<std::size_t>(p.b)];
    if (a >= 0 && b >= 0) kept.push_back({a, b, p.same});
  }
  return kept;
}

std::string provenance(const FaceSource& source, const ImportOptions& options, const Survey& survey) {
  // Names without folders: where a user keeps things is nobody else's business.
  auto name = [](const std::filesystem::path& p) {
    return p.has_filename() ? p.filename().string() : p.parent_path().filename().string();
  };
  return nlohmann::json{
      {"tool", "likeness " + version()},        {"revision", git_revision()},          {"verb", "import"},
      {"source", name(source.path())},          {"pictures_in_source", source.size()}, {"skipped", survey.bad},
      {"attributes", name(options.attributes)}, {"landmarks", name(options.landmarks)}}
      .dump();
}

// Pictures [first, end) whose bytes are held at the same time: read on all threads, written in order.
std::size_t end_of_portion(const Survey& survey, std::size_t first) {
  constexpr std::size_t kPictures = 1024, kBytes = 32 << 20;
  std::size_t end = first;
  for (std::size_t bytes = 0; end < survey.looks.size() && end - first < kPictures && bytes < kBytes; ++end)
    bytes += survey.looks[end].bytes;
  return end;
}

void write_pictures(const FaceSource& source, const Survey& survey,
                    const std::vector<std::optional<Landmarks>>& landmarks, bool keep_landmarks, int threads,
                    FacesWriter& writer, const std::function<void(std::int64_t)>& tick) {
  std::vector<std::vector<std::byte>> scratch;
  std::vector<std::span<const std::byte>> encoded;
  for (std::size_t first = 0, end; first < survey.looks.size(); first = end) {
    end = end_of_portion(survey, first);
    scratch.resize(std::max(scratch.size(), end - first)), encoded.assign(end - first, {});
    parallel_for(end - first, 64, threads, [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i)
        if (survey.looks[first + i].bytes > 0)
          encoded[i] = source.encoded(static_cast<std::int64_t>(first + i), scratch[i]);
    });
    for (std::size_t k = first; k < end; ++k) {
      throw_if_stopped();
      const Look& look = survey.looks[k];
      if (look.bytes == 0) continue;
      const auto i = static_cast<std::int64_t>(k);
      const auto picture = encoded[k - first];
      if (picture.size() != look.bytes)
        fail_data({"picture changed while it was imported", where_of(source, i), std::to_string(look.bytes) + " bytes",
                   std::to_string(picture.size()), ""});
      std::optional<Landmarks> points;
      if (!landmarks.empty())
        points = landmarks[k];
      else if (keep_landmarks)
        points = source.landmarks(i);
      writer.add(picture, {source.label(i), look.size, source.key(i), points});
      if (tick) tick(1);
    }
  }
}

}  // namespace

PictureSize inspect_picture(std::span<const std::byte> encoded, bool verify, const std::string& where) {
  const PictureSize size = PictureDecoder::size(encoded, where);
  if (verify || !ends_properly(encoded)) {
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.width) * size.height * 3);
    PictureDecoder().decode(encoded, size, pixels.data(), where);
  }
  return size;
}

ImportReport import_faces(const FaceSource& source, const std::filesystem::path& out, IfExists if_exists,
                          const ImportOptions& options, const std::function<void(std::int64_t)>& tick) {
  check_options(options);
  check_output(out, if_exists);
  if (source.size() == 0)
    fail_data({"set of faces is empty", source.path().string(), "at least one picture", "none",
               "a folder needs one folder of *.jpg, *.jpeg or *.png for each identity"});
  ImportReport report;
  AttributeTable attributes = source.attributes();
  if (!options.attributes.empty())
    attributes = read_attributes(source, options.attributes, report.attribute_rows.emplace());
  std::vector<std::optional<Landmarks>> landmarks;
  if (!options.landmarks.empty()) landmarks = read_landmarks(source, options.landmarks, report.landmark_rows.emplace());

  const Survey looked = survey(source, options, landmarks);
  std::uint64_t bytes = 0;
  for (const Look& look : looked.looks) bytes += look.bytes;
  report.skipped = looked.bad;
  for (const auto& [picture, reason] : looked.reasons) report.reasons.push_back(reason);
  if (report.skipped == source.size())
    fail_data(
        {"not one picture of the set is good", source.path().string(), "at least one", report.reasons.front(), ""});

  report.geometry = geometry_of(source, options, looked);
  // Points that hold for all replace what the source knew about each.
  const bool keep_landmarks = options.points.empty() && options.geometry.empty() && source.landmarks(0).has_value();
  report.has_landmarks = !landmarks.empty() || keep_landmarks;
  report.attributes = kept_rows(attributes, looked);
  report.written = write_faces(out, if_exists, bytes, [&](FacesWriter& writer) {
    write_pictures(source, looked, landmarks, keep_landmarks, resolve_threads(options.threads), writer, tick);
    FacesMeta meta{
        report.geometry, {}, report.attributes, kept_pairs(source, looked), provenance(source, options, looked)};
    for (std::int64_t c = 0; c < source.identities(); ++c) meta.identity_names.push_back(source.identity_name(c));
    return meta;
  });
  return report;
}

}  // namespace likeness::data

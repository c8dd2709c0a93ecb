#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/log.h"
#include "core/progress.h"
#include "data/attribute_summary.h"
#include "data/info.h"
#include "data/verbs.h"

namespace likeness::data {
namespace {

std::string size_text(const SetInfo& info) {
  const auto text = [](PictureSize s) { return fmt::format("{}x{}", s.width, s.height); };
  return info.smallest == info.largest ? text(info.smallest) : text(info.smallest) + " to " + text(info.largest);
}

nlohmann::json to_json(const SetInfo& info, const std::string& path) {
  nlohmann::json size = nullptr;  // [width, height] where all pictures have one size
  if (info.smallest == info.largest) size = {info.smallest.width, info.smallest.height};
  return {{"path", path},
          {"store", info.store},
          {"pictures", info.pictures},
          {"identities", info.identities},
          {"identities_with_pictures", info.identities_with_pictures},
          {"pictures_per_identity", {{"fewest", info.fewest}, {"median", info.median}, {"most", info.most}}},
          {"unlabelled", info.unlabelled},
          {"size", size},
          {"smallest", {info.smallest.width, info.smallest.height}},
          {"largest", {info.largest.width, info.largest.height}},
          {"bytes", info.bytes},
          {"pairs", info.pairs},
          {"landmarks", info.has_landmarks},
          {"geometry", nlohmann::json::parse(info.geometry.to_json())},
          {"attributes", attribute_json(info.attributes)},
          {"digest", info.digest},
          {"damaged", info.damaged},
          {"warnings", info.warnings}};
}

std::string to_text(const SetInfo& info, const std::string& path) {
  std::string text = fmt::format("{} ({})\npictures     {}, {:.1f} MB, {}\n", path, info.store,
                                 format_count(info.pictures), static_cast<double>(info.bytes) / 1e6, size_text(info));
  if (info.identities > 0)
    text += fmt::format("identities   {}, {} to {} pictures each, half have {} or more\n",
                        format_count(info.identities_with_pictures), info.fewest, info.most, info.median);
  if (info.identities > info.identities_with_pictures)
    text += fmt::format("             {} more have no picture\n",
                        format_count(info.identities - info.identities_with_pictures));
  if (info.pairs > 0) text += fmt::format("pairs        {}\n", format_count(info.pairs));
  text +=
      fmt::format("geometry     {}\n", info.has_landmarks ? "five points for each picture" : info.geometry.describe());
  if (!info.attributes.columns.empty()) text += "attributes\n" + attribute_text(info.attributes);
  return text + fmt::format("digest       {}\n", info.digest);
}

}  // namespace

Verb make_info_verb() {
  return {
      "info", "Say what a set of faces holds", "likeness data info celeba64.faces.h5 --json", [](CLI::App& app) {
        struct Arguments {
          std::string set;
          bool verify = false;
        };
        auto a = std::make_shared<Arguments>();
        app.add_option("set", a->set, "A *.faces.h5, a .rec or its folder, a folder of folders, a .bin")->required();
        app.add_flag("--verify", a->verify,
                     "Compare every picture of a *.faces.h5 with its checksum; damage is exit code 4");
        return [a](const CommonOptions&) -> CommandResult {
          const SetInfo info = describe_faces(*open_faces(a->set), a->verify);
          for (const std::string& warning : info.warnings) log_warn(warning);
          const int exit_code = a->verify && info.damaged > 0 ? static_cast<int>(ErrorKind::kData) : 0;
          return {exit_code, to_json(info, a->set), to_text(info, a->set)};
        };
      }};
}

}  // namespace likeness::data

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "core/error.h"
#include "core/file.h"
#include "data/verbs.h"
#include "data/view.h"

namespace likeness::data {
namespace {

CommandResult run(const std::string& set, const ViewOptions& options, const CommonOptions& common) {
  if (common.out.empty()) fail_usage({"no output named", "likeness data view", "--out SHEET.png", "", ""});
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  check_output(common.out, if_exists);
  const auto source = open_faces(set);
  const auto pictures = choose_pictures(*source, options);
  if (pictures.empty()) fail_data({"nothing to show", set, "at least one picture", "none", ""});
  const Image sheet = contact_sheet(*source, pictures, options);
  const auto png = encode_png(sheet);
  write_atomically(common.out, if_exists, std::string_view(reinterpret_cast<const char*>(png.data()), png.size()));

  CommandResult result;
  auto shown = nlohmann::json::array();
  for (const std::int64_t i : pictures) shown.push_back(source->key(i));
  result.json = {{"out", common.out}, {"width", sheet.width}, {"height", sheet.height}, {"pictures", shown}};
  result.text = fmt::format("{}: {} pictures, {}x{} pixels\n", common.out, pictures.size(), sheet.width, sheet.height);
  return result;
}

}  // namespace

Verb make_view_verb() {
  Verb verb{
      "view", "Write a contact sheet of a set's pictures as PNG",
      "likeness data view lfw.faces.h5 --count 24 --points --out sheet.png", [](CLI::App& app) {
        struct Arguments {
          std::string set;
          ViewOptions options;
        };
        auto a = std::make_shared<Arguments>();
        app.add_option("set", a->set, "A *.faces.h5, a .rec or its folder, a folder of folders, a .bin")->required();
        app.add_option("--count", a->options.count, "Pictures to show")
            ->check(CLI::Range(1, 100000))
            ->capture_default_str();
        app.add_option("--columns", a->options.columns, "Pictures side by side")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        app.add_option("--cell", a->options.cell, "Pixels that each picture is fitted into")
            ->check(CLI::Range(8, 2048))
            ->capture_default_str();
        app.add_option("--identity", a->options.identity, "Only this identity's pictures");
        app.add_flag("--points", a->options.points, "Mark the five points, where they are known");
        return [a](const CommonOptions& common) { return run(a->set, a->options, common); };
      }};
  verb.owns_out = true;
  return verb;
}

}  // namespace likeness::data

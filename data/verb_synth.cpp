#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "core/error.h"
#include "core/progress.h"
#include "data/attribute_summary.h"
#include "data/synth.h"
#include "data/verbs.h"

namespace likeness::data {
namespace {

struct Arguments {
  std::string out, pairs;
  std::vector<std::string> planted;
  std::int64_t pair_count = 6000;
  SynthOptions options;
};

CommandResult run(const Arguments& a, const CommonOptions& common) {
  const auto start = std::chrono::steady_clock::now();
  const IfExists if_exists = common.force ? IfExists::kReplace : IfExists::kRefuse;
  SynthOptions options = a.options;
  options.threads = common.threads;
  for (const std::string& text : a.planted) options.planted.push_back(synth::parse_planted(text));
  check_options(options);
  check_output(a.out, if_exists);
  if (!a.pairs.empty()) check_output(a.pairs, if_exists);

  std::vector<FaceSource::Pair> pairs;
  if (!a.pairs.empty()) pairs = draw_pairs(options, a.pair_count);
  Progress progress("synth", static_cast<std::uint64_t>(options.identities * options.pictures), "pictures");
  const WrittenFaces written =
      write_synthetic(a.out, if_exists, options, pairs, [&](std::uint64_t n) { progress.add(n); });
  progress.finish();
  if (!a.pairs.empty()) write_atomically(a.pairs, if_exists, pairs_csv(options, pairs));

  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  CommandResult result;
  result.json = {{"out", a.out},
                 {"pictures", written.pictures},
                 {"identities", written.identities},
                 {"bytes", written.bytes},
                 {"digest", written.digest},
                 {"size", options.size},
                 {"seed", options.seed},
                 {"first_identity", options.first_identity},
                 {"planted", a.planted},
                 {"pairs", pairs.size()},
                 {"seconds", seconds}};
  result.text = fmt::format("{}\npictures     {} of {} identities ({} … {}), {:.1f} MB\n", a.out,
                            format_count(static_cast<std::uint64_t>(written.pictures)),
                            format_count(static_cast<std::uint64_t>(written.identities)),
                            synth_identity_name(options.seed, options.first_identity),
                            synth_identity_name(options.seed, options.first_identity + options.identities - 1),
                            double(written.bytes) / 1e6);
  for (const std::string& planted : a.planted) result.text += fmt::format("planted      {}\n", planted);
  if (!pairs.empty())
    result.text += fmt::format("pairs        {} in {} folds, {}\n", format_count(pairs.size()), kSynthFolds, a.pairs);
  result.text += fmt::format("digest       {}\ntime         {:.1f} s, {:.0f} pictures/s\n", written.digest, seconds,
                             double(written.pictures) / seconds);
  return result;
}

}  // namespace

Verb make_synth_verb() {
  return {"synth", "Make a set of procedural faces with known attributes, landmarks and nuisances",
          "likeness data synth test.faces.h5 --identities 120 --first-identity 10000 --pictures 10 --size 64 --seed 2 "
          "--planted gender=female:blur=1.5 --pairs pairs.csv",
          [](CLI::App& app) {
            auto a = std::make_shared<Arguments>();
            SynthOptions& o = a->options;
            app.add_option("output", a->out, "The container to write: NAME.faces.h5")->required();
            app.add_option("--identities", o.identities, "Number of people")->capture_default_str();
            app.add_option("--pictures", o.pictures, "Pictures of each")->capture_default_str();
            app.add_option("--size", o.size, "Side of the aligned picture in pixels")->capture_default_str();
            app.add_option("--seed", o.seed, "Other seeds are other people")->capture_default_str();
            app.add_option("--first-identity", o.first_identity,
                           "Number of the first person: ranges that do not meet share no person")
                ->capture_default_str();
            app.add_flag(
                "--unaligned", o.unaligned,
                "As a camera saw them, 1.5 times the size, with landmarks; else aligned to the arcface points");
            app.add_option("--planted", a->planted,
                           "ATTRIBUTE=VALUE:NUISANCE=STRENGTH: pictures of this group get more blur (pixels), noise "
                           "(grey levels), pose (degrees) "
                           "or occlusion (probability); may be repeated");
            app.add_option("--pairs", a->pairs,
                           "Write balanced verification pairs in ten folds of different people: NAME.csv");
            app.add_option("--pair-count", a->pair_count, "Pairs at most")->capture_default_str();
            return [a](const CommonOptions& common) { return run(*a, common); };
          }};
}

}  // namespace likeness::data

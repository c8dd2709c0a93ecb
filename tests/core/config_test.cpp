#include "core/config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/error.h"
#include "tests/support/paths.h"

namespace likeness {
namespace {

using test::TempDir;

Config parse(const std::string& yaml, const std::vector<std::string>& assignments = {}) {
  return Config::parse(yaml, "test.yaml", assignments);
}

// The parts of the usage error that `f` must throw.
template <class F>
ErrorParts refused(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    return e.parts();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

constexpr const char* kRecipe = R"(# a recipe
model: mbf
steps: 3905
optimizer:
  lr: 0.05
  nesterov: true
  decay: {power: 2, warmup: 5m}
betas: [0.9, 0.999]
validate:
  - lfw.bin
  - "cfp fp.bin"
cache: 64M
)";

TEST(Config, GivesTypedValuesAndFallbacks) {
  Config c = parse(kRecipe);
  EXPECT_EQ(c.get_string("model", "x"), "mbf");
  EXPECT_EQ(c.get_int("steps", 1, 1), 3905);
  EXPECT_DOUBLE_EQ(c.get_double("optimizer.lr", 1, 0, 10), 0.05);
  EXPECT_TRUE(c.get_bool("optimizer.nesterov", false));
  EXPECT_DOUBLE_EQ(c.get_double("optimizer.decay.power", 1), 2);
  EXPECT_DOUBLE_EQ(c.get_duration("optimizer.decay.warmup", 0), 300);
  EXPECT_EQ(c.get_doubles("betas", {}), (std::vector<double>{0.9, 0.999}));
  EXPECT_EQ(c.get_strings("validate", {}), (std::vector<std::string>{"lfw.bin", "cfp fp.bin"}));
  EXPECT_EQ(c.get_size("cache", 0), 64'000'000);
  EXPECT_EQ(c.get_choice("precision", "f32", {"f32", "bf16"}), "f32");
  EXPECT_DOUBLE_EQ(c.get_double("optimizer.momentum", 0.9), 0.9);
  EXPECT_TRUE(c.has("optimizer.lr"));
  EXPECT_FALSE(c.has("optimizer.momentum"));
  c.refuse_unknown();
}

TEST(Config, ResolvedComesBackEqual) {
  Config first = parse(kRecipe, {"name='a: b # \"ü\"\ttab'", "validate=[x, 'true', '7', 'null']"});
  const auto ask = [](Config& c) {
    c.get_string("model", "");
    c.get_string("name", "");
    c.get_string("empty", "");
    c.get_string("number_like", "1e5");
    c.get_string("null_like", "null");
    c.get_strings("validate", {});
    c.get_strings("none", {});
    c.get_doubles("betas", {});
    c.get_double("optimizer.lr", 0);
    c.get_double("optimizer.tiny", 1.0 / 3 * 1e-20);
    c.get_double("optimizer.decay.power", 0);
    c.get_duration("optimizer.decay.warmup", 0);
    c.get_bool("optimizer.nesterov", false);
    c.get_bool("optimizer-x", true);
    c.get_int("steps", 0);
    c.get_size("cache", 0);
    return c.resolved();
  };
  const std::string once = ask(first);
  Config second = parse(once);
  EXPECT_EQ(ask(second), once) << once;
  EXPECT_EQ(second.get_string("name", ""), first.get_string("name", ""));
  EXPECT_EQ(second.get_strings("validate", {}), (std::vector<std::string>{"x", "true", "7", "null"}));
  second.refuse_unknown();
}

TEST(Config, WrongTypesAndRangesNameFileLineAndKey) {
  Config c = parse(kRecipe);
  EXPECT_EQ(refused([&] { c.get_int("model", 0); }).where, "test.yaml:2: model");
  EXPECT_EQ(refused([&] { c.get_int("steps", 0, 1, 100); }).expected, "a whole number from 1 to 100");
  EXPECT_EQ(refused([&] { c.get_bool("steps", false); }).got, "3905");
  EXPECT_EQ(refused([&] { c.get_double("optimizer.lr", 0, 1, 2); }).where, "test.yaml:5: optimizer.lr");
  EXPECT_EQ(refused([&] { c.get_double("optimizer", 0); }).got, "a section");
  EXPECT_EQ(refused([&] { c.get_string("betas", ""); }).got, "a list of 2");
  EXPECT_EQ(refused([&] { c.get_doubles("validate", {}); }).where, "test.yaml:10: validate");
  EXPECT_EQ(refused([&] { c.get_size("model", 0); }).where, "test.yaml:2: model");
  EXPECT_EQ(refused([&] { c.get_choice("model", "", {"mbx", "iresnet50"}); }).got, "mbf (did you mean mbx?)");
  for (const char* bad : {"n: '5'", "n: 5.5", "n: 0x10", "n: 99999999999999999999", "n:", "n: ~", "n: 5 5", "n: [5]"}) {
    Config d = parse(bad);
    EXPECT_THROW(d.get_int("n", 0), Error) << bad;
  }
  for (const char* bad : {"x: .nan", "x: nan", "x: inf", "x: 1e999", "x: '1'", "x: 1,5"}) {
    Config d = parse(bad);
    EXPECT_THROW(d.get_double("x", 0), Error) << bad;
  }
}

TEST(Config, UnknownKeysNameTheNearest) {
  Config c = parse("optimizer:\n  lr: 1\n  momentun: 0.9\n");
  c.get_double("optimizer.lr", 0);
  c.get_double("optimizer.momentum", 0);
  const ErrorParts typo = refused([&] { c.refuse_unknown(); });
  EXPECT_EQ(typo.where, "test.yaml:3: optimizer.momentun");
  EXPECT_EQ(typo.hint, "did you mean optimizer.momentum?");

  Config misplaced = parse("lr: 1\n");
  misplaced.get_double("optimizer.lr", 0);
  EXPECT_EQ(refused([&] { misplaced.refuse_unknown(); }).hint, "did you mean optimizer.lr?");

  Config emptied = parse("optimizer:\n  # lr: 1\n");
  emptied.get_double("optimizer.lr", 0);
  emptied.refuse_unknown();
}

TEST(Config, DuplicateKeysAreRefusedWithBothLines) {
  const ErrorParts flat = refused([] { parse("a: 1\nb: 2\na: 3\n"); });
  EXPECT_EQ(flat.where, "test.yaml:3: a");
  EXPECT_EQ(flat.got, "the first one at test.yaml:1");
  EXPECT_EQ(refused([] { parse("s:\n  a: 1\ns:\n  b: 2\n"); }).where, "test.yaml:3: s");
  EXPECT_EQ(refused([] { parse("s:\n  a: 1\n  a: 1\n"); }).where, "test.yaml:3: s.a");
  EXPECT_EQ(refused([] { parse("s: {a: 1}\ns.a: 2\n"); }).where, "test.yaml:2: s.a");
}

TEST(Config, WhatIsNotPlainKeysAndValuesIsRefused) {
  for (const char* bad :
       {"- a\n- b\n", "just text", "a: [1, [2]]", "a: [{b: 1}]", "a: &x 1\nb: *x\n", "a: !!int 5", "a: 1\n---\nb: 2\n",
        "[a]: 1", "{a: 1}: 2", "a: [1,", "a: b: c", "\tx: 1", "a: 1\na.b: 2\n", "'': 1", "a: [1, ~]"}) {
    const ErrorParts parts = refused([&] { parse(bad); });
    EXPECT_TRUE(parts.where.starts_with("test.yaml")) << bad;
  }
  EXPECT_THROW(parse(std::string(100'000, '[')), Error);
  EXPECT_THROW(parse("a: " + std::string(100'000, '{')), Error);
  parse("").refuse_unknown();
  parse("# nothing\n").refuse_unknown();
}

TEST(Config, AssignmentsWinLast) {
  Config c = parse(kRecipe, {"optimizer.lr=0.1", "optimizer.lr=0.2", "new.key=[a, b]", "model=", "steps=7",
                             "optimizer.decay={power: 3}"});
  EXPECT_DOUBLE_EQ(c.get_double("optimizer.lr", 0), 0.2);
  EXPECT_EQ(c.get_strings("new.key", {}), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(c.get_string("model", "x"), "");
  EXPECT_DOUBLE_EQ(c.get_double("optimizer.decay.power", 0), 3);
  EXPECT_DOUBLE_EQ(c.get_duration("optimizer.decay.warmup", 0), 300);
  EXPECT_EQ(c.where("optimizer.lr"), "--set optimizer.lr=0.2: optimizer.lr");
  for (const char* bad : {"steps", "=5", "optimizer=5", "steps.x=1", "steps=[1,"}) {
    EXPECT_THROW(parse(kRecipe, {bad}), Error) << bad;
  }
  Config text = parse("", {"path=C:/x", "expression=a=b"});
  EXPECT_EQ(text.get_string("path", ""), "C:/x");
  EXPECT_EQ(text.get_string("expression", ""), "a=b");
}

TEST(Config, IncludesAreMergedBelowTheFile) {
  TempDir dir;
  std::filesystem::create_directory(dir / "base");
  std::ofstream(dir / "base/a.yaml") << "include: b.yaml\nx: a\ny: a\nlist: [1, 2]\n";
  std::ofstream(dir / "base/b.yaml") << "x: b\ny: b\nz: b\ns: {k: b, l: b}\n";
  std::ofstream(dir / "top.yaml") << "include: base/a.yaml\nx: top\ns:\n  k: top\nlist: [3]\n";
  Config c = Config::load(dir / "top.yaml", {"z=set"});
  EXPECT_EQ(c.get_string("x", ""), "top");
  EXPECT_EQ(c.get_string("y", ""), "a");
  EXPECT_EQ(c.get_string("z", ""), "set");
  EXPECT_EQ(c.get_string("s.k", ""), "top");
  EXPECT_EQ(c.get_string("s.l", ""), "b");
  EXPECT_EQ(c.get_doubles("list", {}), std::vector<double>{3});
  EXPECT_EQ(c.where("y"), (dir / "base/a.yaml").string() + ":3: y");
  c.refuse_unknown();
}

TEST(Config, IncludesThatAreMissingOrCircularAreRefused) {
  TempDir dir;
  std::ofstream(dir / "a.yaml") << "x: 1\ninclude: [b.yaml]\n";
  std::ofstream(dir / "b.yaml") << "include: ./a.yaml\n";
  std::ofstream(dir / "c.yaml") << "include: none.yaml\n";
  std::ofstream(dir / "d.yaml") << "include:\n";
  std::ofstream(dir / "e.yaml") << "include: b2.yaml\nx: 1\n";
  std::ofstream(dir / "b2.yaml") << "x:\n  y: 2\n";
  EXPECT_NE(refused([&] { Config::load(dir / "a.yaml"); }).what.find("circle"), std::string::npos);
  EXPECT_EQ(refused([&] { Config::load(dir / "c.yaml"); }).where, (dir / "c.yaml").string() + ":1");
  refused([&] { Config::load(dir / "d.yaml"); });
  EXPECT_NE(refused([&] { Config::load(dir / "e.yaml"); }).what.find("both"), std::string::npos);
  EXPECT_EQ(refused([&] { Config::load(dir / "none.yaml"); }).where, (dir / "none.yaml").string());
}

TEST(ParseSize, AcceptsWholeNumbersWithUnits) {
  EXPECT_EQ(parse_size("500", "t"), 500);
  EXPECT_EQ(parse_size("64K", "t"), 64'000);
  EXPECT_EQ(parse_size("1.5M", "t"), 1'500'000);
  EXPECT_EQ(parse_size("2G", "t"), 2'000'000'000);
  for (const char* bad : {"", "K", "64k", "64KB", "-1", "1.5", "1e30", "nan", "64 K"})
    EXPECT_THROW(parse_size(bad, "t"), Error) << bad;
}

TEST(ParseDuration, GivesSeconds) {
  EXPECT_DOUBLE_EQ(parse_duration("90", "t"), 90);
  EXPECT_DOUBLE_EQ(parse_duration("90s", "t"), 90);
  EXPECT_DOUBLE_EQ(parse_duration("1.5m", "t"), 90);
  EXPECT_DOUBLE_EQ(parse_duration("2h", "t"), 7200);
  for (const char* bad : {"", "s", "5d", "-1s", "inf", "5ms"}) EXPECT_THROW(parse_duration(bad, "t"), Error) << bad;
}

TEST(Nearest, FindsTyposAndNothingElse) {
  const std::vector<std::string> words{"import", "info", "synth", "view"};
  EXPECT_EQ(nearest("imprt", words), "import");
  EXPECT_EQ(nearest("ifno", words), "info");
  EXPECT_EQ(nearest("vieww", words), "view");
  EXPECT_EQ(nearest("quantize", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest("x", {"y"}), "");
}

}  // namespace
}  // namespace likeness

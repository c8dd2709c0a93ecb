// The page holds every figure as text, loads nothing, and its script draws every chart in a real browser.
#include "eval/report/report.h"

#include <gtest/gtest.h>

#include <fstream>

#include "eval/bias/bias.h"
#include "eval/identify.h"
#include "eval/verify.h"
#include "tests/eval/support.h"
#include "tests/support/paths.h"
#include "tests/support/process.h"

namespace likeness::eval {
namespace {

// A verification with folds, and a bias result with an unknown group and suppressed cells.
std::vector<NamedResult> two_results() {
  EmbeddingArchive a = test::people(60, 5, 32, .9, 1.3);
  for (std::size_t i = 0; i < 10; ++i) a.attributes.columns[0].codes[i] = 0;
  Trials t;
  t.protocol = "lfw pairs", t.source = "pairs.txt";
  for (std::int64_t f = 0; f < 10; ++f)
    for (std::int64_t p = 0; p < 30; ++p) {
      t.pairs.push_back({5 * p + f % 4, 5 * p + 4, true});
      t.pairs.push_back({5 * p + f % 4, (5 * p + 5 * (f + 1)) % 300, false});
    }
  const SetIndex set = SetIndex::of(a);
  finish_trials(t, set);
  Result v = verify(a, t, {.convention = Convention::kInsightface});
  Result b = bias(a, all_trials(set), {.by = {"gender"}, .at = {OperatingTarget::Kind::kFmr, 1e-3}});
  b.model["path"] = "runs/</script><script>alert(1)</script>";  // a hostile name stays text
  return {{"lfw.json", v}, {"lfw-gender.json", b}};
}

// A search with distractors: the gallery has two sizes.
Result one_search() {
  const EmbeddingArchive a = test::people(60, 5, 32, .9);
  const SetIndex set = SetIndex::of(a);
  Enrolment e = first_picture(set, {});
  for (int i = 0; i < 10; ++i) e.distractors.push_back(e.probes.back()), e.probes.pop_back();
  return identify(pool(a, e.templates, {}, 1), e, {}, {}).result;
}

std::string find_chromium() {
  for (const char* path : {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
    if (std::filesystem::exists(path)) return path;
  return "";
}

TEST(Report, HoldsFiguresCountsReasonsAndNothingForeign) {
  const auto results = two_results();
  const std::string page = html_report(results);
  for (const char* text : {"lfw.json", "lfw-gender.json", "accuracy", "gender=female", "gender=unknown", "suppressed", "errors expected among", "tar@fmr=1e-3"})
    EXPECT_NE(page.find(text), std::string::npos) << text;
  for (const char* foreign : {"src=\"http", "href=\"http", "@import", "<script>alert(1)", "url(http"}) EXPECT_EQ(page.find(foreign), std::string::npos) << foreign;
  EXPECT_EQ(page.find("{{"), std::string::npos) << "a tag of the template was left";
  // From JSON alone: a result that was written and read makes the same page.
  std::vector<NamedResult> read;
  for (const NamedResult& r : results) read.push_back({r.name, Result::from_json(r.result.to_json(), "test")});
  EXPECT_EQ(html_report(read), page);
}

// What the page's script says after it has drawn: the opening tag of the document.
std::string drawn_by(const std::string& chromium, const std::string& page) {
  test::TempDir dir;
  std::ofstream(dir / "report.html") << page;
  const auto r = test::run_process(chromium, {"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr",
                                              "--user-data-dir=" + (dir / "profile").string(), "--virtual-time-budget=10000", "--dump-dom",
                                              "file://" + (dir / "report.html").string()});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_EQ(r.err.find("CONSOLE"), std::string::npos) << "the page's script complained:\n" << r.err;
  const auto begin = r.out.find("<html");
  return r.out.substr(begin, r.out.find('>', begin) - begin + 1);
}

TEST(Report, DrawsEveryChartInABrowser) {
  const std::string chromium = find_chromium();
  if (chromium.empty()) GTEST_SKIP() << "skipped: install chromium";
  auto results = two_results();
  results.push_back({"1n.json", one_search()});
  const std::string tag = drawn_by(chromium, html_report(results));
  EXPECT_NE(tag.find("data-charts=\"10\""), std::string::npos) << "3 charts for the verification, 5 for the groups, 2 for the search; got " << tag;
}

TEST(Report, ASearchHasItsOwnTablesAndCharts) {
  const std::string page = html_report({{"1n.json", one_search()}});
  for (const char* text : {"1n.json", "rank1", "fnir@fpir=1e-1", "alarms_per_day@fpir=1e-1", "entries=58", "data-chart=\"cmc\"", "searches"})
    EXPECT_NE(page.find(text), std::string::npos) << text;
  for (const char* foreign : {"data-chart=\"roc\"", "data-chart=\"groups\" data", "{{"}) EXPECT_EQ(page.find(foreign), std::string::npos) << foreign;
}

TEST(Report, AResultWithoutPointsStillMakesAPage) {
  auto results = two_results();
  for (NamedResult& r : results) r.result.curves.clear(), r.result.histograms.clear(), r.result.folds.clear(), r.result.differentials = nullptr;
  EXPECT_NE(html_report(results).find("accuracy"), std::string::npos);
}

}  // namespace
}  // namespace likeness::eval

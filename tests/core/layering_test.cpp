// The house rules that a compiler does not know (docs/architecture.md): which room may include which, where LibTorch
// and its enemies may appear, and how long a file may be.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "core/file.h"
#include "tests/support/paths.h"

namespace likeness {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, std::set<std::string>> kMayInclude{
    {"core", {"core"}},
    {"data", {"core", "data"}},
    {"model", {"core", "model"}},
    {"engine", {"core", "data", "model", "engine"}},
    {"train", {"core", "data", "model", "engine", "train"}},
    {"eval", {"core", "data", "model", "engine", "eval"}},
    {"export", {"core", "data", "model", "engine", "export"}},
};
constexpr int kHeaderLines = 160, kSourceLines = 400;

struct Source {
  std::vector<std::string> includes;
  long lines = 0;
  bool pragma_once = false;
};

using Sources = std::map<std::string, Source>;  // by path from the root, "core/error.cpp"

bool starts_with_any(const std::string& text, std::initializer_list<const char*> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const char* p) { return text.starts_with(p); });
}
std::string room_of(const std::string& path) { return path.substr(0, path.find('/')); }
bool is_header(const std::string& path) { return path.ends_with(".h") || path.ends_with(".cuh"); }
bool is_torch(const std::string& include) {
  return starts_with_any(include, {"torch/", "ATen/", "c10/", "caffe2/", "model/torch/"});
}
// PyTorch's headers bring their own copies of these.
bool clashes_with_torch(const std::string& include) {
  return starts_with_any(include, {"fmt/", "spdlog/", "onnx/", "google/protobuf/"});
}
bool may_use_torch(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return starts_with_any(path, {"model/torch/", "train/"}) ||
         (path.starts_with("engine/") && name.find("torch") != std::string::npos);
}
bool may_see_eval(const std::string& path) { return path == "train/main.cpp" || path == "export/main.cpp"; }

Sources scan(const fs::path& root) {
  static const std::regex include(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  Sources sources;
  for (const auto& [room, unused] : kMayInclude) {
    if (!fs::exists(root / room)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string path = entry.path().lexically_relative(root).generic_string();
      if (!is_header(path) && !path.ends_with(".cpp") && !path.ends_with(".cu")) continue;
      Source& source = sources[path];
      std::istringstream lines(read_text(entry.path()));
      for (std::string line; std::getline(lines, line); ++source.lines) {
        std::smatch match;
        if (line.find("include") != std::string::npos && std::regex_search(line, match, include))
          source.includes.push_back(match[1]);
        source.pragma_once |= line == "#pragma once";
      }
    }
  }
  return sources;
}

// Everything that `path` includes, through our own headers, too.
std::set<std::string> closure(const Sources& sources, const std::string& path) {
  std::set<std::string> seen;
  std::vector<std::string> todo{path};
  while (!todo.empty()) {
    const auto source = sources.find(todo.back());
    todo.pop_back();
    if (source == sources.end()) continue;
    for (const std::string& include : source->second.includes) {
      if (seen.insert(include).second) todo.push_back(include);
    }
  }
  return seen;
}

std::vector<std::string> violations(const fs::path& root) {
  std::vector<std::string> found;
  const Sources sources = scan(root);
  for (const auto& [path, source] : sources) {
    const auto report = [&, path = path](const std::string& text) { found.push_back(path + ": " + text); };
    for (const std::string& include : source.includes) {
      const std::string room = room_of(include);
      if (!kMayInclude.count(room) || include.find('/') == std::string::npos) continue;
      const bool allowed = kMayInclude.at(room_of(path)).count(room) > 0 || (room == "eval" && may_see_eval(path));
      if (!allowed) report("includes " + include + ", an arrow that points up or across");
    }
    const std::set<std::string> all = closure(sources, path);
    const auto torch = std::find_if(all.begin(), all.end(), is_torch);
    const auto enemy = std::find_if(all.begin(), all.end(), clashes_with_torch);
    if (torch != all.end() && !may_use_torch(path)) report("sees " + *torch + " in a room without LibTorch");
    if (torch != all.end() && enemy != all.end()) report("sees both " + *torch + " and " + *enemy);
    if (is_header(path) && !source.pragma_once) report("has no #pragma once");
    const int limit = is_header(path) ? kHeaderLines : kSourceLines;
    if (source.lines > limit)
      report("has " + std::to_string(source.lines) + " lines, more than " + std::to_string(limit));
  }
  return found;
}

TEST(Layering, TheProjectKeepsItsRules) {
  EXPECT_GT(scan(test::source_dir()).size(), 30u) << "sources were not found";
  for (const std::string& violation : violations(test::source_dir())) ADD_FAILURE() << violation;
}

// Each rule against a small tree that breaks it.
class LayeringRule : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::string found() {
    std::string text;
    for (const std::string& violation : violations(root_.path())) text += violation + "\n";
    return text;
  }
  test::TempDir root_;
};

TEST_F(LayeringRule, ArrowsPointDown) {
  write("core/a.cpp", "#include \"data/b.h\"\n");
  EXPECT_NE(found().find("core/a.cpp: includes data/b.h"), std::string::npos);
}

TEST_F(LayeringRule, TopRoomsDoNotSeeOneAnotherExceptInTwoMains) {
  write("train/trainer.cpp", "#include \"eval/verify.h\"\n");
  write("eval/a.cpp", "  #  include \"export/b.h\"\n");
  write("train/main.cpp", "#include \"eval/verify.h\"\n");
  write("export/main.cpp", "#include \"eval/verify.h\"\n");
  EXPECT_EQ(found(),
            "eval/a.cpp: includes export/b.h, an arrow that points up or across\n"
            "train/trainer.cpp: includes eval/verify.h, an arrow that points up or across\n");
}

TEST_F(LayeringRule, TorchStaysInItsRooms) {
  write("model/torch/module.h", "#pragma once\n#include <ATen/core/Tensor.h>\n");
  write("model/graph/a.cpp", "#include <c10/util/Exception.h>\n");
  write("eval/a.cpp", "#include \"engine/b.h\"\n");
  write("engine/b.h", "#pragma once\n#include \"model/torch/module.h\"\n");
  write("engine/torch_engine.cpp", "#include \"model/torch/module.h\"\n");
  const std::string text = found();
  EXPECT_NE(text.find("model/graph/a.cpp: sees c10"), std::string::npos);
  EXPECT_NE(text.find("engine/b.h: sees"), std::string::npos);
  EXPECT_NE(text.find("eval/a.cpp: sees"), std::string::npos);
  EXPECT_EQ(text.find("engine/torch_engine.cpp"), std::string::npos);
}

TEST_F(LayeringRule, TorchAndItsEnemiesNeverMeetEvenThroughHeaders) {
  write("train/a.cpp", "#include <torch/torch.h>\n#include \"train/b.h\"\n");
  write("train/b.h", "#pragma once\n#include <fmt/format.h>\n");
  EXPECT_EQ(found(), "train/a.cpp: sees both torch/torch.h and fmt/format.h\n");
}

TEST_F(LayeringRule, HeadersAreGuardedAndFilesShort) {
  write("data/a.h", "int x;\n");
  write("data/b.h", "#pragma once\n" + std::string(160, '\n'));
  write("data/c.cpp", std::string(400, '\n'));
  write("data/d.cpp", std::string(401, '\n'));
  EXPECT_EQ(found(),
            "data/a.h: has no #pragma once\ndata/b.h: has 161 lines, more than 160\ndata/d.cpp: has 401 lines, more "
            "than 400\n");
}

}  // namespace
}  // namespace likeness

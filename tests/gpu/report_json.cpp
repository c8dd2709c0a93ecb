// A report as JSON, written by hand: gpu_check is built from LibTorch and nvcc alone.
#include <cmath>
#include <cstdio>

#include "tests/gpu/report.h"

namespace likeness::gpu {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    char code[8];
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      std::snprintf(code, sizeof code, "\\u%04x", c), out += code;
    else
      out += c;
  }
  return out + '"';
}

// JSON has no infinity: null.
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return std::isfinite(value) ? text : "null";
}

void append(std::string* list, const std::string& item) {
  if (!list->empty()) *list += ',';
  *list += item;
}

std::string object(const std::vector<std::pair<const char*, std::string>>& members) {
  std::string list;
  for (const auto& [name, value] : members) append(&list, quoted(name) + ":" + value);
  return "{" + list + "}";
}

const char* truth(bool value) { return value ? "true" : "false"; }

}  // namespace

std::string Report::json(double seconds) const {
  std::string machine, checks, repeats, speeds;
  for (const auto& [name, value] : machine_) append(&machine, quoted(name) + ":" + quoted(value));
  for (const CheckRow& r : checks_) {
    if (r.counts)
      append(&checks, object({{"name", quoted(r.name)},
                              {"precision", quoted(r.precision)},
                              {"cases", std::to_string(r.cases)},
                              {"worst", number(r.worst)},
                              {"limit", number(r.limit)},
                              {"where", quoted(r.where)},
                              {"passed", truth(r.passed)}}));
    else
      append(&repeats,
             object({{"name", quoted(r.name)}, {"precision", quoted(r.precision)}, {"bit_equal", truth(r.passed)}}));
  }
  for (const SpeedRow& s : speeds_) {
    const bool measured = s.note.empty();
    append(&speeds, object({{"network", quoted(s.network)},
                            {"classes", std::to_string(s.classes)},
                            {"batch", std::to_string(s.batch)},
                            {"pictures_per_second", measured ? number(s.pictures_per_second) : "null"},
                            {"step_ms", measured ? number(s.step_ms) : "null"},
                            {"peak_bytes", measured && s.peak_bytes > 0 ? std::to_string(s.peak_bytes) : "null"},
                            {"note", quoted(s.note)}}));
  }
  return object({{"schema", quoted("likeness.gpu_check/1")},
                 {"machine", "{" + machine + "}"},
                 {"passed", truth(passed())},
                 {"seconds", number(seconds)},
                 {"checks", "[" + checks + "]"},
                 {"repeats", "[" + repeats + "]"},
                 {"speed", "[" + speeds + "]"}});
}

}  // namespace likeness::gpu

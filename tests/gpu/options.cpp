#include "tests/gpu/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "core/error.h"

namespace likeness::gpu {
namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& expected, const std::string& got) {
  fail_usage({.what = "wrong use", .where = option, .expected = expected, .got = got, .hint = "gpu_check --help"});
}

// A whole number from `least`, with k or M after it.
std::int64_t count(const std::string& option, const std::string& text, std::int64_t least) {
  std::int64_t value = 0, unit = 1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string rest(end, text.data() + text.size());
  if (rest == "k" || rest == "K") unit = 1000;
  if (rest == "M") unit = 1000 * 1000;
  const std::int64_t most = 1000 * 1000 * 1000 / unit;
  if (error != std::errc() || (unit == 1 && !rest.empty()) || value > most || value * unit < least)
    refuse(option, "128, 10k or 2M, and no less than " + std::to_string(least), text);
  return value * unit;
}

double factor(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value > 0) || std::isinf(value)) refuse(option, "a number above 0", text);
  return value;
}

std::vector<std::string> items(const std::string& option, const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  for (const std::string& part : parts)
    if (part.empty()) refuse(option, "names or numbers with commas between them", text);
  return parts;
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--help" || name == "-h") {
      o.help = true;
    } else if (name == "--quick") {
      o.quick = true;
    } else if (name == "--json") {
      o.json = true;
    } else if (name == "--no-speed") {
      o.speed = false;
    } else {
      std::string value;
      if (const auto equals = name.find('='); equals != std::string::npos)
        value = name.substr(equals + 1), name.resize(equals);
      else if (i + 1 < argc)
        value = argv[++i];
      if (name == "--only") {
        o.only = value;
      } else if (name == "--device") {
        o.device = value;
      } else if (name == "--tolerance") {
        o.tolerance = factor(name, value);
      } else if (name == "--networks") {
        o.networks = items(name, value);
      } else if (name == "--classes") {
        for (const std::string& item : items(name, value)) o.classes.push_back(count(name, item, 2));
      } else if (name == "--batch") {
        o.batch = count(name, value, 2);
      } else if (name == "--size") {
        o.size = static_cast<int>(std::min<std::int64_t>(count(name, value, 9), 1 << 20));
      } else {
        refuse(name, "an option of gpu_check", name);
      }
    }
  }
  if (o.networks.empty()) {
    o.speed = o.speed && o.device != "cpu";
    o.networks = o.quick ? std::vector<std::string>{"r50"} : std::vector<std::string>{"r50", "r100", "vit_b"};
  }
  if (o.classes.empty())
    o.classes = o.quick ? std::vector<std::int64_t>{1000, 100000}
                        : std::vector<std::int64_t>{1000, 10000, 100000, 1000000, 2000000};
  return o;
}

std::string usage() {
  return R"(usage: gpu_check [--device cuda|cuda:N|cpu] [--quick] [--json] [--only TEXT] [--tolerance FACTOR] [--no-speed]
                 [--networks r50,r100,vit_b] [--classes 1k,10k,100k,1M,2M] [--batch 128] [--size 112]
Compares what a training step computes on a device with what the CPU computes, and times whole steps.
  --device     what is checked (default cuda). cpu: the Torch-operator form on the CPU, against the CPU's vector form
  --quick      few and small shapes; times r50 with 1 k and 100 k classes only
  --only       only checks whose names hold this text, as tile_ or "steps of r18"
  --tolerance  factor on every limit (default 1)
  --no-speed   comparisons only; so it is with --device cpu unless --networks is given
  --networks   whose steps are timed, in bf16, with heads of --classes, at --batch (halved until it fits) and --size
  --json       one JSON object on stdout; everything else goes to stderr
Exit codes: 0 all passed; 1 a comparison failed; 2 wrong use; 5 no GPU, driver or CUDA library.
Example: gpu_check --quick --json
)";
}

}  // namespace likeness::gpu

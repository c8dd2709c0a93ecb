#include "core/preprocess.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <vector>

#include "core/config.h"
#include "core/error.h"

namespace likeness {
namespace {

constexpr const char* kExample = "\"mean=127.5,127.5,127.5;std=127.5,127.5,127.5;order=rgb\"";

[[noreturn]] void fail(const std::string& text, const std::string& got, const std::string& hint = "") {
  fail_usage({.what = "preprocessing is malformed",
              .where = "\"" + text + "\"",
              .expected = kExample,
              .got = got,
              .hint = hint});
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// One number for all channels, or three.
std::array<double, 3> parse_channels(const std::string& value, const std::string& whole) {
  std::array<double, 3> channels{};
  const auto parts = split(value, ',');
  if (parts.size() != 1 && parts.size() != 3) fail(whole, fmt::format("{} numbers in \"{}\"", parts.size(), value));
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string& part = parts[parts.size() == 1 ? 0 : i];
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), channels[i]);
    if (error != std::errc() || end != part.data() + part.size() || !std::isfinite(channels[i])) {
      fail(whole, "\"" + part + "\" for a number");
    }
  }
  return channels;
}

}  // namespace

Preprocess Preprocess::parse(const std::string& text) {
  Preprocess result;
  std::set<std::string> seen;
  for (const std::string& item : split(text, ';')) {
    const auto equals = item.find('=');
    const std::string key = item.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : item.substr(equals + 1);
    if (!seen.insert(key).second) fail(text, "\"" + key + "\" twice");
    if (key == "mean") {
      result.mean = parse_channels(value, text);
    } else if (key == "std") {
      result.std = parse_channels(value, text);
      for (const double s : result.std) {
        if (!(s > 0)) fail(text, "a std that is not positive");
      }
    } else if (key == "order") {
      if (value != "rgb" && value != "bgr") fail(text, "order \"" + value + "\"", "order is rgb or bgr");
      result.order = value;
    } else {
      const std::string known = nearest(key, {"mean", "std", "order"});
      fail(text, "unknown key \"" + key + "\"",
           known.empty() ? "keys are mean, std, order" : "did you mean " + known + "?");
    }
  }
  if (seen.empty()) fail(text, "nothing");
  return result;
}

std::string Preprocess::to_string() const {
  return fmt::format("mean={},{},{};std={},{},{};order={}", mean[0], mean[1], mean[2], std[0], std[1], std[2], order);
}

std::string ModelContract::to_json() const {
  return nlohmann::ordered_json{{"weights_hash", weights_hash},
                                {"preprocess", preprocess.to_string()},
                                {"geometry", nlohmann::ordered_json::parse(geometry.to_json())},
                                {"flip", flip},
                                {"precision", precision},
                                {"dimension", dimension}}
      .dump();
}

ModelContract ModelContract::from_json(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(text);
    ModelContract contract;
    contract.weights_hash = json.at("weights_hash").get<std::string>();
    contract.preprocess = Preprocess::parse(json.at("preprocess").get<std::string>());
    contract.geometry = FaceGeometry::from_json(json.at("geometry").dump(), where);
    contract.flip = json.at("flip").get<std::string>();
    if (contract.flip != "none" && contract.flip != "sum") throw std::out_of_range("flip \"" + contract.flip + "\"");
    contract.precision = json.at("precision").get<std::string>();
    contract.dimension = json.at("dimension").get<int>();
    return contract;
  } catch (const std::exception& e) {
    fail_data({.what = "model contract is malformed", .where = where, .got = e.what()});
  }
}

std::string ModelContract::difference(const ModelContract& other) const {
  std::vector<std::string> parts;
  const auto compare = [&](const char* name, const std::string& mine, const std::string& theirs) {
    if (mine != theirs) parts.push_back(fmt::format("{} {} and {}", name, mine, theirs));
  };
  compare("weights", weights_hash, other.weights_hash);
  compare("preprocessing", preprocess.to_string(), other.preprocess.to_string());
  if (!geometry.same_as(other.geometry)) {
    parts.push_back(fmt::format("geometry {} and {}", geometry.describe(), other.geometry.describe()));
  }
  compare("flip", flip, other.flip);
  compare("precision", precision, other.precision);
  compare("dimension", std::to_string(dimension), std::to_string(other.dimension));
  return fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace likeness

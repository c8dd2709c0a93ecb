// A backbone's options as the text that model files carry.
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/graph/backbones.h"

namespace likeness::model {

std::string backbone_json(const BackboneOptions& o) {
  return nlohmann::ordered_json{
      {"name", o.name}, {"input", o.input}, {"embedding", o.embedding}, {"dropout", o.dropout}}
      .dump();
}

BackboneOptions backbone_from_json(const std::string& json, const std::string& where) {
  try {
    const auto j = nlohmann::json::parse(json);
    BackboneOptions o;
    o.name = j.at("name").get<std::string>();
    o.input = j.at("input").get<int>();
    o.embedding = j.at("embedding").get<int>();
    o.dropout = j.value("dropout", 0.0);
    return o;
  } catch (const nlohmann::json::exception&) {
    fail_data({"description of the backbone cannot be read", where,
               R"({"name":"mbf","input":112,"embedding":512,"dropout":0.0})", json.substr(0, 80), ""});
  }
}

}  // namespace likeness::model

// Attribute tables counted, for people and for --json.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/attributes.h"

namespace likeness::data {

// {"gender": {"female": 29, "male": 20, "unknown": 1}}: pictures in each category; one with several counts in each.
nlohmann::json attribute_json(const AttributeTable& table);

// One line for each attribute: "  gender     female 29,000, male 20,985". Long lists are cut after the ten largest.
std::string attribute_text(const AttributeTable& table);

}  // namespace likeness::data

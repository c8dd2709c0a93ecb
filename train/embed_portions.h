// What a network makes of many pictures, a portion at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace likeness::train {

// Embeds the pictures `rows` of `source` in that order; visit(archive, i, row) sees row i of an archive, which is gone
// after its portion, so that a set of any size needs memory for 32,768 embeddings. One progress line named `verb`;
// `options.progress` is not used. Errors as engine::embed.
void embed_in_portions(
    engine::Engine& network, const data::FaceSource& source, const std::vector<std::int64_t>& rows,
    engine::EmbedOptions options, const std::string& verb,
    const std::function<void(const EmbeddingArchive& archive, std::size_t i, std::int64_t row)>& visit);

}  // namespace likeness::train

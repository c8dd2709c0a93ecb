// Zip archives whose members are stored, not deflated: they can be read where they lie. PyTorch's .pt files are such.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/file.h"

namespace likeness {

// A view: `bytes` must outlive it. Errors: kData naming `where`: no directory, a deflated or encrypted member, one that
// lies outside the file, a name that occurs twice. ZIP64 is understood. Safe to read from many threads.
class ZipArchive {
 public:
  ZipArchive(std::span<const std::byte> bytes, const std::string& where);
  std::vector<std::string> names() const;  // sorted
  bool has(const std::string& name) const { return members_.count(name) > 0; }
  // kData when it is absent or its CRC-32 is another than the directory's.
  std::span<const std::byte> member(const std::string& name) const;

 private:
  struct Member {
    std::span<const std::byte> bytes;
    std::uint32_t crc = 0;
  };
  std::string where_;
  std::map<std::string, Member> members_;
};

struct ZipMember {
  std::string name;
  std::span<const std::byte> bytes;
};
// Every member's bytes begin at a multiple of 64, as in PyTorch's own files. Equal members give equal bytes: no times
// are stored. Written whole or not at all (write_atomically). kUsage for more than 4 GB or 65,534 members: those need
// ZIP64.
void write_zip(const std::filesystem::path& path, IfExists if_exists, const std::vector<ZipMember>& members);

// CRC-32 of zip, PNG and gzip (polynomial 0xedb88320, reflected).
std::uint32_t crc32(std::span<const std::byte> bytes);

}  // namespace likeness

// Files: mapped for reading, written whole or not at all, and digested.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace likeness {

// A read-only mapping of a whole file. Movable. Safe to read from many threads.
// Errors: kData naming the path when the file is missing or unreadable.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::size_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  // Tells the kernel that access is random (training) or sequential (import).
  void advise_random() const;
  void advise_sequential() const;

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::filesystem::path path_;
};

std::string read_text(const std::filesystem::path& path);

// What to do when an output is already there.
enum class IfExists { kRefuse, kReplace };

// Refuses early, before any work is done: kUsage with the hint "--force" if `path` exists and may not be replaced,
// or if its folder does not exist.
void check_output(const std::filesystem::path& path, IfExists if_exists);

// Calls `write(temporary)` with a path beside `path`, then fsyncs and renames it into place. When `write` throws or the
// disk is full (kEnvironment), the temporary is removed and whatever stood at `path` is untouched.
void write_atomically(const std::filesystem::path& path, IfExists if_exists,
                      const std::function<void(const std::filesystem::path& temporary)>& write);
void write_atomically(const std::filesystem::path& path, IfExists if_exists, std::string_view contents);

// The same for a folder: `write` fills an empty temporary folder, whose files are then fsynced, and renamed.
void write_folder_atomically(const std::filesystem::path& path, IfExists if_exists,
                             const std::function<void(const std::filesystem::path& temporary)>& write);

// Writes every byte or throws kEnvironment naming `path` (disk full, quota, I/O error).
void write_all(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path);

std::uint64_t xxh3_64(std::span<const std::byte> bytes);
// 128-bit digest as 32 hexadecimal digits; streaming over a file of any size.
std::string xxh3_128_hex(std::span<const std::byte> bytes);
std::string file_digest(const std::filesystem::path& path);

// Streaming form of xxh3_128_hex.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;
  Digest& add(std::span<const std::byte> bytes);
  Digest& add(std::string_view text);
  std::string hex() const;

 private:
  void* state_;
};

}  // namespace likeness

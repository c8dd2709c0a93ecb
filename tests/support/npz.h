// Reads the NumPy archives of tests/goldens: zip files whose .npy members are stored, not deflated.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace likeness::test {

struct Array {
  std::string dtype;                 // "<f8", "|u1", "<i8", "|b1", …
  std::vector<std::int64_t> shape;   // row-major
  std::vector<std::byte> data;
  std::int64_t elements() const;
  std::vector<double> as_double() const;        // from any numeric or bool type
  std::vector<float> as_float() const;
  std::vector<std::int64_t> as_int() const;
  double scalar() const { return as_double().at(0); }
};

class Npz {
 public:
  explicit Npz(const std::filesystem::path& path);  // std::runtime_error when missing or not a stored zip
  const Array& at(const std::string& name) const;   // std::runtime_error naming file and member
  bool has(const std::string& name) const { return arrays_.count(name) > 0; }
  const std::map<std::string, Array>& arrays() const { return arrays_; }

 private:
  std::filesystem::path path_;
  std::map<std::string, Array> arrays_;
};

}  // namespace likeness::test

#include <fmt/format.h>

#include <cstring>
#include <numeric>
#include <type_traits>

#include "core/hdf5_internal.h"

namespace likeness::h5 {
namespace {

template <class T>
hid_t native_type() {
  if constexpr (std::is_same_v<T, float>)
    return H5T_NATIVE_FLOAT;
  else if constexpr (std::is_same_v<T, double>)
    return H5T_NATIVE_DOUBLE;
  else if constexpr (std::is_same_v<T, std::int8_t>)
    return H5T_NATIVE_INT8;
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return H5T_NATIVE_INT16;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return H5T_NATIVE_INT32;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return H5T_NATIVE_INT64;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return H5T_NATIVE_UINT8;
  else if constexpr (std::is_same_v<T, std::uint16_t>)
    return H5T_NATIVE_UINT16;
  else if constexpr (std::is_same_v<T, std::uint32_t>)
    return H5T_NATIVE_UINT32;
  else
    return H5T_NATIVE_UINT64;
}

Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

// The number of elements, after a check against what is really stored: a damaged or hostile header must not make us
// allocate terabytes.
std::size_t checked_elements(const File& file, const std::string& name, hid_t dataset, std::size_t element_size) {
  double claimed = static_cast<double>(element_size);
  std::size_t elements = 1;
  for (const hsize_t n : shape_of(dataset)) {
    claimed *= static_cast<double>(n);
    elements *= n;
  }
  const Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  const double best_compression = H5Pget_nfilters(properties) > 0 ? 1100 : 1;  // deflate reaches 1032 : 1
  if (claimed > static_cast<double>(H5Dget_storage_size(dataset)) * best_compression) {
    fail_read(file.path(), name, "dataset is larger than what the file holds",
              fmt::format("{:.0f} bytes claimed, {} stored", claimed, H5Dget_storage_size(dataset)));
  }
  return elements;
}

// A string of fixed length, as NumPy's "S" arrays are stored: padded with zeros.
std::string trimmed(const char* text, std::size_t size) { return {text, strnlen(text, size)}; }

Handle open_attribute(const File& file, const std::string& name) {
  if (!file.has_attribute(name)) fail_read(file.path(), name, "attribute is missing", "");
  Handle attribute(H5Aopen(file.id(), name.c_str(), H5P_DEFAULT), H5Aclose);
  if (!attribute.valid()) fail_read(file.path(), name, "attribute cannot be opened");
  const Handle space(H5Aget_space(attribute), H5Sclose);
  if (H5Sget_simple_extent_npoints(space) != 1) fail_read(file.path(), name, "attribute is not one value", "");
  return attribute;
}

void write_attribute(const File& file, const std::string& name, hid_t type, const void* value) {
  if (file.has_attribute(name)) H5Adelete(file.id(), name.c_str());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(file.id(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (!attribute.valid() || H5Awrite(attribute, type, value) < 0) fail_write(file.path(), name);
}

}  // namespace

template <class T>
std::vector<T> File::read(const std::string& name) const {
  const Handle dataset = open_dataset(*this, name);
  const Handle type(H5Dget_type(dataset), H5Tclose);
  const H5T_class_t kind = H5Tget_class(type);
  if (kind != H5T_INTEGER && kind != H5T_FLOAT) fail_read(path_, name, "dataset does not hold numbers", "");
  std::vector<T> values(checked_elements(*this, name, dataset, H5Tget_size(type)));
  if (!values.empty() && H5Dread(dataset, native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) {
    fail_read(path_, name, "dataset cannot be read");
  }
  return values;
}

template <class T>
void File::write(const std::string& name, const T* values, const std::vector<hsize_t>& shape) {
  const Handle dataset = create_dataset(*this, name, native_type<T>(), space_of(shape));
  const hsize_t elements = std::accumulate(shape.begin(), shape.end(), hsize_t{1}, std::multiplies<>());
  if (elements > 0 && H5Dwrite(dataset, native_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
    fail_write(path_, name);
}

#define LIKENESS_H5_TYPE(T)                                        \
  template std::vector<T> File::read<T>(const std::string&) const; \
  template void File::write<T>(const std::string&, const T*, const std::vector<hsize_t>&);
LIKENESS_H5_TYPE(float)
LIKENESS_H5_TYPE(double)
LIKENESS_H5_TYPE(std::int8_t)
LIKENESS_H5_TYPE(std::int16_t)
LIKENESS_H5_TYPE(std::int32_t)
LIKENESS_H5_TYPE(std::int64_t)
LIKENESS_H5_TYPE(std::uint8_t)
LIKENESS_H5_TYPE(std::uint16_t)
LIKENESS_H5_TYPE(std::uint32_t)
LIKENESS_H5_TYPE(std::uint64_t)
#undef LIKENESS_H5_TYPE

std::vector<std::string> File::read_strings(const std::string& name) const {
  const Handle dataset = open_dataset(*this, name);
  const Handle type(H5Dget_type(dataset), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING) fail_read(path_, name, "dataset does not hold strings", "");
  const std::size_t size = H5Tget_size(type);
  const std::size_t n = checked_elements(*this, name, dataset, size);
  std::vector<std::string> values(n);
  if (n == 0) return values;
  if (H5Tis_variable_str(type) <= 0) {
    std::vector<char> buffer(n * size);
    if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer.data()) < 0)
      fail_read(path_, name, "dataset cannot be read");
    for (std::size_t i = 0; i < n; ++i) values[i] = trimmed(&buffer[i * size], size);
    return values;
  }
  std::vector<char*> pointers(n);
  if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()) < 0)
    fail_read(path_, name, "dataset cannot be read");
  for (std::size_t i = 0; i < n; ++i) values[i] = pointers[i] == nullptr ? "" : pointers[i];
  const Handle space(H5Dget_space(dataset), H5Sclose);
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers.data());
  return values;
}

void File::write_strings(const std::string& name, const std::vector<std::string>& values) {
  const Handle type = text_type();
  const Handle dataset = create_dataset(*this, name, type, space_of({values.size()}));
  if (values.empty()) return;
  std::vector<const char*> pointers;
  for (const std::string& value : values) pointers.push_back(value.c_str());
  if (H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers.data()) < 0) fail_write(path_, name);
}

bool File::has_attribute(const std::string& name) const { return H5Aexists(file_, name.c_str()) > 0; }

std::string File::text_attribute(const std::string& name) const {
  const Handle attribute = open_attribute(*this, name);
  const Handle type(H5Aget_type(attribute), H5Tclose);
  if (H5Tget_class(type) != H5T_STRING) fail_read(path_, name, "attribute is not a string", "");
  if (H5Tis_variable_str(type) > 0) {
    char* value = nullptr;
    if (H5Aread(attribute, type, &value) < 0) fail_read(path_, name, "attribute cannot be read");
    const std::string text = value == nullptr ? "" : value;
    H5free_memory(value);
    return text;
  }
  std::vector<char> buffer(H5Tget_size(type));
  if (H5Aread(attribute, type, buffer.data()) < 0) fail_read(path_, name, "attribute cannot be read");
  return trimmed(buffer.data(), buffer.size());
}

std::int64_t File::int_attribute(const std::string& name) const {
  const Handle attribute = open_attribute(*this, name);
  const Handle type(H5Aget_type(attribute), H5Tclose);
  if (H5Tget_class(type) != H5T_INTEGER) fail_read(path_, name, "attribute is not a whole number", "");
  std::int64_t value = 0;
  if (H5Aread(attribute, H5T_NATIVE_INT64, &value) < 0) fail_read(path_, name, "attribute cannot be read");
  return value;
}

void File::set_attribute(const std::string& name, const std::string& value) {
  const char* const pointer = value.c_str();
  write_attribute(*this, name, text_type(), &pointer);
}

void File::set_attribute(const std::string& name, std::int64_t value) {
  write_attribute(*this, name, H5T_NATIVE_INT64, &value);
}

}  // namespace likeness::h5

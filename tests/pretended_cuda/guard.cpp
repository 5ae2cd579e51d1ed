// A device guard without a device. ATen asks the guard of a tensor's device
// for the current device and stream around every operation, and autograd asks
// the hooks; those that torch's wheels bring for CUDA ask the driver, which is
// not there. Loading this library puts others in their place.
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <cstring>

namespace {

using c10::Device;
using c10::DeviceIndex;
using c10::Stream;

constexpr auto kType = c10::DeviceType::CUDA;

class OneDevice final : public c10::impl::NoOpDeviceGuardImpl<kType> {
 public:
  Device getDevice() const override {
    return only();
  }
  Device exchangeDevice(Device) const override {
    return only();
  }
  DeviceIndex deviceCount() const noexcept override {
    return 1;
  }
  Stream getStream(Device) const noexcept override {
    return stream();
  }
  Stream getDefaultStream(Device) const override {
    return stream();
  }
  Stream exchangeStream(Stream) const noexcept override {
    return stream();
  }

 private:
  static Device only() {
    return Device(kType, 0);
  }
  static Stream stream() {
    return Stream(Stream::DEFAULT, Device(kType, 0));
  }
};

class OneDeviceHooks final : public at::CUDAHooksInterface {
 public:
  bool hasPrimaryContext(DeviceIndex) const override {
    return true;
  }
  bool isAvailable() const override {
    return true;
  }
  bool isBuilt() const override {
    return true;
  }
  bool hasCUDA() const override {
    return true;
  }
  int getNumGPUs() const override {
    return 1;
  }
  DeviceIndex deviceCount() const override {
    return 1;
  }
  DeviceIndex current_device() const override {
    return 0;
  }
  DeviceIndex getCurrentDevice() const override {
    return 0;
  }
  DeviceIndex exchangeDevice(DeviceIndex) const override {
    return 0;
  }
  DeviceIndex maybeExchangeDevice(DeviceIndex) const override {
    return 0;
  }
  void setCurrentDevice(DeviceIndex) const override {}
  void init() const override {}
};

const c10::impl::DeviceGuardImplRegistrar guard(kType, new OneDevice());

// The hooks exist already, and all of torch refers to that object. It has no
// data, so that its table of virtual functions can be exchanged.
[[maybe_unused]] const bool hooks = [] {
  static OneDeviceHooks ours;
  const auto* theirs = &at::detail::getCUDAHooks();
  std::memcpy(
      const_cast<at::CUDAHooksInterface*>(theirs),
      static_cast<at::CUDAHooksInterface*>(&ours),
      sizeof(void*));
  return true;
}();

} // namespace

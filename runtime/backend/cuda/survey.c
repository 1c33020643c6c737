// SPDX-License-Identifier: MIT
#include "runtime/backend/cuda/survey.h"

#include "runtime/backend/cuda/cuda.h"

#define CALL(dev, name, ...) aif_cuda_result(dev, "cu" #name, (dev)->d.name(__VA_ARGS__))

const char *aif_cuda_survey_why(void)
{
	return aif_cuda_why();
}

static int look(struct aif_dev *dev, int index, struct aif_cuda_found *found)
{
	int device, err = CALL(dev, DeviceGet, &device, index);

	if (!err)
		err = aif_cuda_id(dev, device, found->id);
	if (!err)
		err = CALL(dev, DeviceGetPCIBusId, found->pci, sizeof(found->pci), device);
	if (!err)
		err = CALL(dev, DeviceGetName, found->name, sizeof(found->name), device);
	if (!err)
		err = CALL(dev, DeviceTotalMem, &found->bytes, device);
	if (!err)
		err = CALL(dev, DeviceGetAttribute, &found->major, AIF_CUDA_ATTR_MAJOR, device);
	if (!err)
		err = CALL(dev, DeviceGetAttribute, &found->minor, AIF_CUDA_ATTR_MINOR, device);
	return err ? err : CALL(dev, DriverGetVersion, &found->version);
}

int aif_cuda_survey(void (*each)(void *ctx, const struct aif_cuda_found *found), void *ctx)
{
	struct aif_dev dev = { 0 };
	int count = 0, err = aif_cuda_start(&dev);

	if (!err)
		err = CALL(&dev, DeviceGetCount, &count);
	for (int i = 0; i < count && !err; i++) {
		struct aif_cuda_found found = { 0 };

		err = look(&dev, i, &found);
		if (!err)
			each(ctx, &found);
	}
	return err ? err : count;
}

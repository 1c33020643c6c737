// SPDX-License-Identifier: MIT
#include "runtime/backend/cuda/survey.h"

#include <stdio.h>

#include "runtime/backend/cuda/cuda.h"

/* "GPU-" and 32 hexadecimal digits in groups, as nvidia-smi prints it. */
static int read_id(struct aif_dev *dev, int device, char id[AIF_CUDA_ID_MAX])
{
	size_t n = snprintf(id, AIF_CUDA_ID_MAX, "GPU");
	struct aif_cuda_uuid uuid;
	int err = CALL(dev, DeviceGetUuid, &uuid, device);

	for (int i = 0; i < 16 && !err; i++) {
		bool dash = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;

		n += snprintf(id + n, AIF_CUDA_ID_MAX - n, "%s%02x", dash ? "-" : "",
			      uuid.bytes[i]);
	}
	return err;
}

int aif_cuda_look(struct aif_dev *dev, int index, int *device, struct aif_cuda_found *found)
{
	int err = CALL(dev, DeviceGet, device, index);

	if (!err)
		err = read_id(dev, *device, found->id);
	if (!err)
		err = CALL(dev, DeviceGetPCIBusId, found->pci, sizeof(found->pci), *device);
	if (!err)
		err = CALL(dev, DeviceGetName, found->name, sizeof(found->name), *device);
	if (!err)
		err = CALL(dev, DeviceTotalMem, &found->bytes, *device);
	if (!err)
		err = CALL(dev, DeviceGetAttribute, &found->major, AIF_CUDA_ATTR_MAJOR, *device);
	if (!err)
		err = CALL(dev, DeviceGetAttribute, &found->minor, AIF_CUDA_ATTR_MINOR, *device);
	return err ? err : CALL(dev, DriverGetVersion, &found->version);
}

int aif_cuda_survey(void (*each)(void *ctx, const struct aif_cuda_found *found), void *ctx)
{
	int count = 0, device, err;
	struct aif_dev dev = { 0 };

	err = aif_cuda_start(&dev);
	if (!err)
		err = aif_cuda_count(&dev, &count);
	for (int i = 0; i < count && !err; i++) {
		struct aif_cuda_found found = { 0 };

		err = aif_cuda_look(&dev, i, &device, &found);
		if (!err)
			each(ctx, &found);
	}
	return err ? err : count;
}

# SPDX-License-Identifier: Apache-2.0
"""`RegistryService`: registers organisations, services, purposes and evidence types."""

from __future__ import annotations

from vault.api.v1 import registry_pb2, registry_service_pb2
from vault.application.wording import purpose_warnings
from vault.domain.registry import EvidenceType, Purpose
from vault.domain.values import PurposeVersion
from vault.server.authorization import RoleNotAllowedError
from vault.server.call import Call
from vault.server.convert import registry as convert
from vault.server.services import UseCases


class RegistryHandler:
    """Handles `vault.api.v1.RegistryService`."""

    def __init__(self, use_cases: UseCases) -> None:
        self._use = use_cases

    async def RegisterOrganisation(
        self, request: registry_service_pb2.RegisterOrganisationRequest, call: Call
    ) -> registry_service_pb2.RegisterOrganisationResponse:
        """Register an organisation."""
        answer = await self._use.registry.register_organisation(
            call.caller,
            request.request_id,
            convert.texts_from(request.name, "name"),
            convert.texts_from(request.contact, "contact"),
        )
        return registry_service_pb2.RegisterOrganisationResponse(
            organisation=await self._organisation(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def RegisterService(
        self, request: registry_service_pb2.RegisterServiceRequest, call: Call
    ) -> registry_service_pb2.RegisterServiceResponse:
        """Register a service of an organisation."""
        answer = await self._use.registry.register_service(
            call.caller,
            request.request_id,
            request.organisation_id.lower(),
            convert.texts_from(request.name, "name"),
        )
        return registry_service_pb2.RegisterServiceResponse(
            service=await self._service(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def SuspendService(
        self, request: registry_service_pb2.SuspendServiceRequest, call: Call
    ) -> registry_service_pb2.SuspendServiceResponse:
        """Suspend a service."""
        answer = await self._use.registry.suspend_service(
            call.caller, request.request_id, request.service_id.lower()
        )
        return registry_service_pb2.SuspendServiceResponse(
            service=await self._service(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def ReinstateService(
        self, request: registry_service_pb2.ReinstateServiceRequest, call: Call
    ) -> registry_service_pb2.ReinstateServiceResponse:
        """Reinstate a suspended service."""
        answer = await self._use.registry.reinstate_service(
            call.caller, request.request_id, request.service_id.lower()
        )
        return registry_service_pb2.ReinstateServiceResponse(
            service=await self._service(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def PublishPurpose(
        self, request: registry_service_pb2.PublishPurposeRequest, call: Call
    ) -> registry_service_pb2.PublishPurposeResponse:
        """Publish a purpose, or its next version; staff are only told what it would be."""
        if call.caller.role == "staff" and not request.validate_only:
            raise RoleNotAllowedError
        texts = convert.purpose_texts_from(request.texts)
        answer = await self._use.registry.publish_purpose(
            call.caller,
            request.request_id,
            PurposeVersion(
                code=request.purpose_code, version=request.version, iri=request.bounds.dpv_iri
            ),
            convert.bounds_from(request.bounds),
            texts,
            validate_only=request.validate_only,
        )
        return registry_service_pb2.PublishPurposeResponse(
            purpose=convert.purpose_message(answer.value, texts, is_withdrawn=False),
            position_token=self._use.positions.write(answer.sizes),
            warnings=convert.warning_messages(purpose_warnings(texts)),
        )

    async def WithdrawPurpose(
        self, request: registry_service_pb2.WithdrawPurposeRequest, call: Call
    ) -> registry_service_pb2.WithdrawPurposeResponse:
        """Withdraw a purpose."""
        answer = await self._use.registry.withdraw_purpose(
            call.caller, request.request_id, request.purpose_code
        )
        return registry_service_pb2.WithdrawPurposeResponse(
            purpose=await self._purpose(answer.value),
            position_token=self._use.positions.write(answer.sizes),
        )

    async def PublishEvidenceType(
        self, request: registry_service_pb2.PublishEvidenceTypeRequest, call: Call
    ) -> registry_service_pb2.PublishEvidenceTypeResponse:
        """Publish an evidence type, or the next version of its schema."""
        answer = await self._use.registry.publish_evidence_type(
            call.caller,
            request.request_id,
            request.definition,
            validate_only=request.validate_only,
        )
        return registry_service_pb2.PublishEvidenceTypeResponse(
            evidence_type=convert.evidence_type_message(answer.value, request.definition),
            position_token=self._use.positions.write(answer.sizes),
            warnings=convert.warning_messages(self._use.registry.warnings_of(request.definition)),
        )

    async def ListOrganisations(
        self, request: registry_service_pb2.ListOrganisationsRequest, call: Call
    ) -> registry_service_pb2.ListOrganisationsResponse:
        """List organisations in the order of their registration."""
        await self._use.seen(request.position_token, call)
        ids = list((await self._use.registry.state()).organisations)
        page, token = await self._use.pages.page(
            ids, lambda entry: entry, request, call, self._organisation
        )
        return registry_service_pb2.ListOrganisationsResponse(
            organisations=page, next_page_token=token
        )

    async def ListServices(
        self, request: registry_service_pb2.ListServicesRequest, call: Call
    ) -> registry_service_pb2.ListServicesResponse:
        """List services in the order of their registration."""
        await self._use.seen(request.position_token, call)
        ids = list((await self._use.registry.state()).services)
        page, token = await self._use.pages.page(
            ids, lambda entry: entry, request, call, self._service
        )
        return registry_service_pb2.ListServicesResponse(services=page, next_page_token=token)

    async def ListPurposes(
        self, request: registry_service_pb2.ListPurposesRequest, call: Call
    ) -> registry_service_pb2.ListPurposesResponse:
        """List the current version of every purpose."""
        await self._use.seen(request.position_token, call)
        state = await self._use.registry.state()
        current = [versions[-1] for versions in state.purposes.values()]
        page, token = await self._use.pages.page(
            current, lambda purpose: purpose.purpose.code, request, call, self._purpose
        )
        return registry_service_pb2.ListPurposesResponse(purposes=page, next_page_token=token)

    async def GetPurpose(
        self, request: registry_service_pb2.GetPurposeRequest, call: Call
    ) -> registry_service_pb2.GetPurposeResponse:
        """Return one version of a purpose."""
        await self._use.seen(request.position_token, call)
        purpose = await self._use.registry.purpose(request.purpose_code, request.version)
        return registry_service_pb2.GetPurposeResponse(purpose=await self._purpose(purpose))

    async def ListEvidenceTypes(
        self, request: registry_service_pb2.ListEvidenceTypesRequest, call: Call
    ) -> registry_service_pb2.ListEvidenceTypesResponse:
        """List the current version of every evidence type."""
        await self._use.seen(request.position_token, call)
        state = await self._use.registry.state()
        current = [versions[-1] for versions in state.evidence_types.values()]
        page, token = await self._use.pages.page(
            current, lambda published: published.evidence_type, request, call, self._evidence_type
        )
        return registry_service_pb2.ListEvidenceTypesResponse(
            evidence_types=page, next_page_token=token
        )

    async def ListReceiptKeys(
        self, request: registry_service_pb2.ListReceiptKeysRequest, call: Call
    ) -> registry_service_pb2.ListReceiptKeysResponse:
        """List the keys with which receipts were ever signed, oldest first."""
        await self._use.seen(request.position_token, call)
        keys = (await self._use.registry.state()).receipt_keys
        page, token = await self._use.pages.page(
            list(keys),
            lambda key_id: key_id,
            request,
            call,
            lambda key_id: convert.receipt_key_message(key_id, keys[key_id]),
        )
        return registry_service_pb2.ListReceiptKeysResponse(
            receipt_keys=page, next_page_token=token
        )

    async def _organisation(self, organisation_id: str) -> registry_pb2.Organisation:
        state = await self._use.registry.state()
        named = await self._use.registry.named(state.organisations[organisation_id])
        return convert.organisation_message(organisation_id, named)

    async def _service(self, service_id: str) -> registry_pb2.Service:
        service = await self._use.registry.service(service_id)
        return convert.service_message(service, await self._use.registry.named(service.published))

    async def _purpose(self, purpose: Purpose) -> registry_pb2.Purpose:
        state = await self._use.registry.state()
        return convert.purpose_message(
            purpose,
            await self._use.registry.purpose_texts(purpose.published),
            is_withdrawn=purpose.purpose.code in state.withdrawn,
        )

    async def _evidence_type(self, published: EvidenceType) -> registry_pb2.EvidenceType:
        definition = await self._use.registry.definition(published.published)
        return convert.evidence_type_message(published, definition)
